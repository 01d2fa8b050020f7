"""``signal-worker pause``."""

from __future__ import annotations

import sys
import time

import click

from worker.cli.brakes import chosen, in_words, opened, options
from worker.cli.common import emit, json_option
from worker.errors import QueueUnavailable
from worker.lanes.pauses import scopes

_POLL = 0.05
"""Seconds between two looks whether POSTs are still in flight."""


@click.command()
@click.option("--entries", is_flag=True, help="Only what grows a position; exits and cancels overtake it.")
@options
@json_option
def command(
    connectors: tuple[str, ...],
    group: str | None,
    entries: bool,
    by: str,
    why: str,
    as_json: bool,
) -> None:
    """Hold signals back: everything, entries, or those of some connectors or of a group.

    When this command returns, no POST that it covers starts any more, by whichever worker, until
    `signal-worker resume`; restarts change nothing. Signals are still taken in, and wait; entries expire.
    POSTs that have begun are waited for, for no longer than a lease.

    \b
    Examples:
      signal-worker pause
      signal-worker pause --entries --why "news at 14:30"
      signal-worker pause --connector acct-7 --connector acct-8
      signal-worker pause --group desk-a --entries
    """
    lanes, _, settings = opened()
    names, label = chosen(connectors, group, settings)
    wanted = scopes(names, entries_only=entries)

    def pause() -> tuple[str, ...]:
        return lanes.pause(wanted, label=label, by=by, why=why).in_flight

    in_flight = pause()
    # A POST ends with its deadline; a worker that went silent begins none after its lease.
    end = time.monotonic() + settings.lease + 1.0
    waited_for = len(in_flight)
    while in_flight:
        if time.monotonic() > end:
            raise QueueUnavailable("paused, but whether all POSTs have ended could not be seen: ask again")
        time.sleep(_POLL)
        in_flight = pause()
    if as_json:
        emit({"paused": wanted, "waited_for": waited_for})
    else:
        waited = f" (waited for {waited_for:,} under way)" if waited_for else ""
        click.echo(f"paused: {in_words(wanted)}{waited}")
    sys.exit(0)
