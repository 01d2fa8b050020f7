"""How one dead letter is shown, and what each reason asks of a person."""

from __future__ import annotations

import json

from rich.console import Console
from rich.table import Table
from rich.text import Text

from worker.cli.common import OUTCOME_STYLES, age, block, cell, listing, mark, moment, since
from worker.lanes.views import AttemptView, DeadLetter, SignalView

ADVICE = {
    "unknown": "Look in the account whether the order is there, for it may or may not have been placed; "
    "then `dead accept`, `dead resend` or `dead discard` it.",
    "rejected": "No order was placed: correct what the endpoint refused (token, size, price) "
    "and send a new signal if it is still wanted; its id is free again.",
    "expired": "No order was placed, it waited too long: find out what held it up, and `dead resend` it "
    "if the trade is still wanted.",
    "unsent": "No order was placed, the endpoint never took it: once it answers again, `dead resend` it "
    "if the trade is still wanted.",
    "invalid": "Nothing was posted, for it was no valid signal: find out who wrote it to Redis or which "
    "setting refuses it, and send a correct one.",
}
"""What to do about a dead letter, in one sentence per reason."""

_IN_DOUBT = (
    "An earlier attempt may have reached the endpoint: look in the account whether the order is there "
    "before anything is sent again."
)
_UNHEARD_OF = (
    "This release does not know this reason: look in the account whether the order is there, and with a "
    "newer release."
)


def advice(signal: SignalView) -> str:
    """What a person should do about it."""
    return (
        _IN_DOUBT
        if signal.in_doubt and signal.outcome != "unknown"
        else ADVICE.get(signal.outcome, _UNHEARD_OF)
    )


def print_letter(letter: DeadLetter, now_ms: int, out: Console) -> None:
    """Print all about it."""
    out.print(_heading(letter.signal, out))
    out.print(_facts(letter.signal, now_ms), soft_wrap=False)
    if letter.history:
        out.print(block(_history(letter.history)))
    out.print(block(_body(letter)))
    out.print()


def _heading(signal: SignalView, out: Console) -> Table:
    grid = Table.grid(padding=(0, 1))
    title = Text.assemble(cell(signal.id, "bold"), "  ", reason(signal))
    grid.add_row(mark("bad" if signal.in_doubt else "warn", out), title)
    grid.add_row("", Text(advice(signal), style="bold red" if signal.in_doubt else ""))
    return grid


def reason(signal: SignalView) -> Text:
    """Its outcome in its colour; ``?`` if it may have become an order although the outcome denies it."""
    word = cell(signal.outcome or "no reason", OUTCOME_STYLES.get(signal.outcome, "red"))
    return word.append(" ?", "bold red") if signal.in_doubt and signal.outcome != "unknown" else word


def _facts(signal: SignalView, now_ms: int) -> Table:
    grid = Table.grid(padding=(0, 2))
    rows = {
        "connector": cell(signal.connector),
        "action": cell(f"{signal.action} ({signal.action_class})"),
        "order id": cell(signal.order_id or "none"),
        "why": cell(signal.why or "not noted", most=1000),
        "attempts": Text("?" if signal.attempts is None else str(signal.attempts)),
        "admitted": _time(signal.admitted_ms, now_ms),
        "due": _time(signal.due_ms, now_ms),
        "ended": _time(signal.ended_ms, now_ms),
    }
    for name, value in rows.items():
        grid.add_row(Text(f"  {name}", style="dim"), value)
    return grid


def _time(at_ms: int | None, now_ms: int) -> Text:
    return Text("?" if at_ms is None else f"{moment(at_ms)}  {since(now_ms, at_ms)}")


def _history(attempts: tuple[AttemptView, ...]) -> Table:
    table = listing(
        "attempt", "at (UTC)", "took", "verdict", "why", title="Attempts", right=("attempt", "took")
    )
    for attempt in attempts:
        table.add_row(
            "?" if attempt.attempt is None else str(attempt.attempt),
            moment(attempt.at_ms),
            age(attempt.ms),
            cell(attempt.verdict, OUTCOME_STYLES.get(attempt.verdict, "")),
            cell(attempt.why),
        )
    return table


def _body(letter: DeadLetter) -> Text:
    if letter.body is None:
        size = "is gone" if letter.body_bytes is None else f"has {letter.body_bytes:,} bytes"
        return Text(f"The signal cannot be shown: it {size}.", style="yellow")
    # JSON in ASCII: what would move the cursor stands there as an escape.
    return Text("Signal\n", style="bold").append(json.dumps(letter.body, indent=2), style="not bold")
