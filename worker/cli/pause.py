"""``signal-worker pause``."""

from __future__ import annotations

import time

import click

from worker.cli.brakes import chosen, in_words, options
from worker.cli.common import emit, json_option, safe
from worker.cli.decisions import opened
from worker.errors import QueueUnavailable
from worker.lanes import Lanes
from worker.lanes.pauses import scopes

_POLL = 0.05
"""Seconds between two looks whether POSTs are still in flight."""
_STANDS = "the pause stands, but POSTs that had begun may still be under way: the same command waits for them"


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
    lanes, register, settings = opened()
    names, label = chosen(connectors, group, settings)
    wanted = scopes(names, entries_only=entries)
    in_flight = lanes.pause(wanted, label=label, by=by, why=why).in_flight
    for name in connectors:
        if not register.waits(name):
            click.echo(f"note: nothing of {safe(name)} waits now; names are taken as they stand", err=True)
    if in_flight:
        click.echo(f"paused; waiting for {len(in_flight):,} POSTs under way …", err=True)
        _wait(lanes, settings.lease)
    if as_json:
        emit({"paused": wanted, "waited_for": len(in_flight)})
    else:
        waited = f" (waited for {len(in_flight):,} under way)" if in_flight else ""
        click.echo(f"paused: {in_words(wanted)}{waited}")


def _wait(lanes: Lanes, lease: float) -> None:
    """Until no covered POST can start: each ends with its deadline, and none begins after its lease."""
    end = time.monotonic() + lease + 1.0
    try:
        while left := lanes.covered():
            if time.monotonic() > end:
                break
            time.sleep(_POLL)
    except (QueueUnavailable, KeyboardInterrupt):
        raise QueueUnavailable(_STANDS) from None
    if left:
        raise QueueUnavailable(_STANDS)
