"""The command ``signal-producer``."""

from __future__ import annotations

import importlib
import sys

import click

from worker.errors import SignalsError

_COMMANDS = {
    "send": "Send one signal, or those on standard input.",
    "load": "Send a file of signals (JSON lines or CSV), resumable.",
}


class LazyGroup(click.Group):
    """Imports a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"producers.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="signal-dispatch")
def group() -> None:
    """Puts trading signals on the queue, from where the workers post them.

    Settings come from SIGNALS_… environment variables, SIGNALS_REDIS_URL above all; the README lists them.
    Exit codes: 0 all taken, 1 something refused or failed, 2 wrong usage.
    """


def main() -> None:
    """Run a command. Exit codes: 0 ok, 1 refused or failed, 2 usage."""
    try:
        group(standalone_mode=True)
    except SignalsError as error:
        click.echo(f"signal-producer: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        sys.stderr.close()
        sys.exit(0)
