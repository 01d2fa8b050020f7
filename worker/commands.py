"""What both command lines are made of: commands that are imported when used, and errors that are one line."""

from __future__ import annotations

import errno
import gc
import importlib
import io
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from worker.errors import SignalsError

CONTEXT = {"help_option_names": ["-h", "--help"]}
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Why output cannot be written."""


class LazyGroup(click.Group):
    """Imports a command when it is used: ``signal-worker status`` needs no Celery.

    ``package`` holds a module with a ``command`` for each of ``commands`` (name: what it does).
    """

    def __init__(self, *arguments: Any, package: str, commands: Mapping[str, str], **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._package = package
        self._known = commands

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read our output has seen enough. What is still buffered must not complain at exit.
            _print_no_more()
            sys.exit(0)
        return result

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self._known)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self._known:
            return None
        command: click.Command = importlib.import_module(
            f"{self._package}.{cmd_name.replace('-', '_')}"
        ).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(self._known.items()))


def _print_no_more() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def collect_garbage_seldom() -> None:
    """For a program that has been loaded and has much to do: what was imported stays, and need not be looked
    through again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def run(group: click.Group, name: str) -> None:
    """Run a command line. Exit codes: 0 ok, 1 refused or failed, 2 usage. What is foreseen is one line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal's encoding lacks must not end in a traceback.
            stream.reconfigure(errors="backslashreplace")
    try:
        group(prog_name=name)
    except SignalsError as error:
        text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in str(error))
        click.echo(f"{name}: {text[:1000]}", err=True)
        sys.exit(1)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        _print_no_more()
        text = f"cannot write ({error.strerror}): what was done before is done, so look before you repeat it"
        click.echo(f"{name}: {text}", err=True)
        sys.exit(1)
