"""``signal-worker dead``: the dead letters."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any, get_args

import click
from rich.text import Text

from worker.cli.acts import make
from worker.cli.common import (
    age,
    cell,
    console,
    duration,
    emit,
    json_option,
    listing,
    name_cell,
    open_redis,
    safe,
)
from worker.cli.letter import ADVICE, advice, print_letter
from worker.cli.show import no_such
from worker.cli.trace import standing
from worker.lanes.queue import Act
from worker.lanes.register import Register
from worker.lanes.views import SignalView

_WIDE = 110
"""Columns from which there is room for why a letter died."""
_OTHER_COLUMNS = 67
_SHOWN = 50


@click.group(no_args_is_help=True)
def command() -> None:
    """Dead letters, the signals that ended without a confirmed order: read them, decide about them.

    \b
    Examples:
      signal-worker dead list --reason unknown
      signal-worker dead show 4f0c6f5d2b8e4c1c9c1f0a7e5d3b2a10
      signal-worker dead accept 4f0c6f5d2b8e4c1c9c1f0a7e5d3b2a10 --why "seen on the exchange"
    """


@command.command("list")
@click.option("--connector", metavar="NAME", help="Only of this connector.")
@click.option("--reason", "reason_", type=click.Choice(list(ADVICE)), help="Only those that ended so.")
@click.option("--exits", is_flag=True, help="Only what should close or cancel something.")
@click.option("--newer", callback=duration, metavar="DURATION", help="Only those of the last 10m, 2h, …")
@click.option("--older", callback=duration, metavar="DURATION", help="Only those from before that.")
@click.option("--limit", type=click.IntRange(1), help="Show at most so many.  [default: 50; all with --json]")
@json_option
def list_(
    connector: str | None,
    reason_: str | None,
    newer: int | None,
    older: int | None,
    exits: bool,
    limit: int | None,
    as_json: bool,
) -> None:
    """List dead letters, newest first.

    \b
    Examples:
      signal-worker dead list --reason unknown --newer 2h
      signal-worker dead list --exits
      signal-worker dead list --connector acct-7 --json | jq -r .id
    """
    register = _register()
    now_ms = register.now_ms()
    shown = limit or _SHOWN
    found = register.dead(
        (limit or sys.maxsize) if as_json else shown + 1,  # one more, to tell that there are more
        connector=connector,
        reason=reason_,
        after_ms=None if newer is None else now_ms - newer,
        before_ms=None if older is None else now_ms - older,
        exits=exits,
    )
    if as_json:
        for letter in found:
            emit(_record(letter))
    else:
        _print_list(list(found), shown, now_ms)


@command.command(short_help="Show all about some dead letters.")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@json_option
def show(ids: tuple[str, ...], as_json: bool) -> None:
    """Show all about dead letters: what happened, what to do, the attempts and the signal.

    The connector token is never shown.

    \b
    Example:
      signal-worker dead show 4f0c6f5d2b8e4c1c9c1f0a7e5d3b2a10 --json
    """
    register = _register()
    now_ms, out, missing = register.now_ms(), console(), 0
    for signal_id in ids:
        letter = register.dead_letter(signal_id)
        if letter is None:
            missing += 1
            click.echo(f"signal-worker: {_why_not(register, signal_id)}", err=True)
        elif as_json:
            rest = {name: value for name, value in dataclasses.asdict(letter).items() if name != "signal"}
            emit({**_record(letter.signal), **rest})
        else:
            print_letter(letter, now_ms, out)
    sys.exit(1 if missing else 0)


for _act in get_args(Act):
    command.add_command(make(_act))


def _register() -> Register:
    client, settings = open_redis()
    return Register(client, prefix=settings.prefix)


def _record(letter: SignalView) -> dict[str, Any]:
    return {**dataclasses.asdict(letter), "in_doubt": letter.in_doubt, "advice": advice(letter)}


def _print_list(letters: list[SignalView], limit: int, now_ms: int) -> None:
    out = console()
    if not letters:
        out.print("no dead letters")
        return
    wide = out.width >= _WIDE
    table = listing(
        "id",
        "reason",
        "ended",
        "connector",
        "action",
        *(("tries", "why") if wide else ()),
        right=("ended", "tries"),
    )
    table.columns[0].overflow = "fold"  # half an id is none
    for letter in letters[:limit]:
        cells = (
            cell(letter.id, most=1000),
            standing(letter),
            Text("?" if letter.ended_ms is None else age(now_ms - letter.ended_ms)),
            name_cell(letter.connector, 32 if wide else max(12, out.width - _OTHER_COLUMNS)),
            cell(letter.action),
            Text("?" if letter.attempts is None else str(letter.attempts)),
            cell(letter.why),
        )
        table.add_row(*cells[: len(table.columns)])
    out.print(table)
    if len(letters) > limit:
        out.print(
            f"\nthere are more than {limit:,}: --limit shows more, --reason, --connector and --newer fewer"
        )


def _why_not(register: Register, signal_id: str) -> str:
    signal = register.find(signal_id)
    if signal is None:
        return no_such(signal_id)
    state = safe(signal.outcome or signal.state or "without a state")
    return f"{safe(signal_id)}: not a dead letter, it is {state}"
