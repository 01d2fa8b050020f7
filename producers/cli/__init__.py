"""The command ``signal-producer``."""

from __future__ import annotations

import click

from worker.commands import CONTEXT, LazyGroup, run

_COMMANDS = {
    "send": "Send one signal, or those on standard input.",
    "load": "Send a file of signals (JSON lines or CSV), resumable.",
    "lint": "Look for mistakes in messages, alert templates and Pine scripts.",
    "gateway": "Take signals over HTTP.",
    "new-key": "Make an API key for the gateway.",
}


@click.group(cls=LazyGroup, package="producers.cli", commands=_COMMANDS, context_settings=CONTEXT)
@click.version_option(package_name="signal-dispatch")
def group() -> None:
    """Puts trading signals on the queue, from where the workers post them.

    Settings come from SIGNALS_… environment variables, SIGNALS_REDIS_URL above all; the README lists them.
    Exit codes: 0 all taken, 1 something refused or failed, 2 wrong usage.
    """


def main() -> None:
    """Run ``signal-producer``."""
    run(group, "signal-producer")
