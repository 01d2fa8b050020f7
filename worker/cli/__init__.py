"""The command ``signal-worker``."""

from __future__ import annotations

import click

from worker.commands import CONTEXT, LazyGroup, run

_COMMANDS = {
    "run": "Take signals and post them until told to stop.",
    "paper": "Run a stand-in for the endpoint.",
    "status": "Show lanes, backlog, delayed signals and dead letters.",
    "tail": "Show outcomes as they happen.",
    "show": "Show where a signal is, or how it ended.",
    "drop": "Call off signals that wait.",
    "dead": "Read dead letters, and decide about them.",
    "pause": "Hold signals back: all, entries, or some connectors'.",
    "resume": "Let them go on.",
    "new-key": "Print a key that seals tokens in Redis.",
    "check": "Look whether settings, Redis and endpoint are fit for money.",
}


@click.group(cls=LazyGroup, package="worker.cli", commands=_COMMANDS, context_settings=CONTEXT)
@click.version_option(package_name="signal-dispatch")
def group() -> None:
    """Posts trading signals from the queue: never twice, never lost, in order per account.

    Settings come from SIGNALS_… environment variables; the README lists them.
    """


def main() -> None:
    """Run ``signal-worker``."""
    run(group, "signal-worker")
