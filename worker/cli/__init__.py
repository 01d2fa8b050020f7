"""The command ``signal-worker``."""

from __future__ import annotations

import importlib
import io
import os
import sys
from typing import Any

import click

from worker.errors import SignalsError

_COMMANDS = {
    "run": "Take signals and post them until told to stop.",
    "paper": "Run a stand-in for the endpoint.",
    "status": "Show lanes, backlog, delayed signals and dead letters.",
    "tail": "Show outcomes as they happen.",
    "dead": "Read dead letters, and decide about them.",
    "check": "Look whether settings, Redis and endpoint are fit for money.",
}


class LazyGroup(click.Group):
    """Imports a command when it is used: ``signal-worker status`` needs no Celery."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read our output has seen enough. What is still buffered must not complain at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        return result

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"worker.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="signal-dispatch")
def group() -> None:
    """Posts trading signals from the queue: never twice, never lost, in order per account.

    Settings come from SIGNALS_… environment variables; the README lists them.
    """


def main() -> None:
    """Run a command. Exit codes: 0 ok, 1 refused or failed, 2 usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal's encoding lacks must not end in a traceback.
            stream.reconfigure(errors="backslashreplace")
    try:
        group(prog_name="signal-worker")
    except SignalsError as error:
        from worker.cli.common import safe  # brings Rich along

        click.echo(f"signal-worker: {safe(str(error), most=1000)}", err=True)
        sys.exit(1)
