"""``signal-worker show``."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from worker.cli.common import block, cell, console, emit, json_option, mark, open_redis, safe
from worker.cli.letter import advice
from worker.cli.naming import Named, named
from worker.cli.trace import attempts, facts, standing
from worker.lanes.register import Register
from worker.lanes.views import SignalView, Trace

_MEANINGS = {
    "delayed": "It is not due yet; `signal-worker drop` calls it off.",
    "waiting": "It is due, and waits for its turn, a retry or the end of a pause.",
    "sending": "A worker has it in hand.",
}
_DOUBT = "An earlier attempt may have reached the endpoint."


@click.command()
@named
@json_option
def command(
    ids: tuple[str, ...], connector: str | None, order: str | None, key: str | None, as_json: bool
) -> None:
    """Show where signals are or how they ended: state, times, attempts.

    Finished ones are known for SIGNALS_KEEP seconds, dead letters for SIGNALS_LETTERS_KEPT.

    \b
    Examples:
      signal-worker show 4f0c6f5d2b8e4c1c9c1f0a7e5d3b2a10
      signal-worker show --connector acct-7 --order long-2026-11-22-1 --json
    """
    client, settings = open_redis()
    register = Register(client, prefix=settings.prefix)
    chosen = Named(ids, connector, order, key).resolve(register)
    now_ms, out, missing = register.now_ms(), console(), 0
    for signal_id in chosen:
        trace = register.trace(signal_id)
        if trace is None:
            missing += 1
            click.echo(f"signal-worker: {no_such(signal_id)}", err=True)
        elif as_json:
            emit(_record(trace))
        else:
            _print(trace, now_ms, out)
    sys.exit(1 if missing else 0)


def no_such(signal_id: str) -> str:
    """What to say of an id that nothing is known of."""
    return (
        f"{safe(signal_id)}: there is no such signal (finished ones are forgotten after SIGNALS_KEEP seconds)"
    )


def _record(trace: Trace) -> dict[str, Any]:
    attempts = [dataclasses.asdict(attempt) for attempt in trace.history]
    return {**dataclasses.asdict(trace.signal), "in_doubt": trace.signal.in_doubt, "history": attempts}


def _print(trace: Trace, now_ms: int, out: Console) -> None:
    signal = trace.signal
    heading = Table.grid(padding=(0, 1))
    level = "bad" if signal.in_doubt else "warn" if signal.state == "dead" else "ok"
    heading.add_row(mark(level, out), Text.assemble(cell(signal.id, "bold"), "  ", standing(signal)))
    if meaning := _meaning(signal):
        heading.add_row("", Text(meaning))
    out.print(heading)
    out.print(facts(signal, now_ms))
    if trace.history:
        out.print(block(attempts(trace.history)))
    out.print()


def _meaning(signal: SignalView) -> str:
    if signal.state == "dead":
        return advice(signal)
    doubt = f" {_DOUBT}" if signal.unknowns and signal.state != "finished" else ""
    return _MEANINGS.get(signal.state, "") + doubt
