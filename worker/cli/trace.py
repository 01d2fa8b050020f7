"""How a signal is shown: how it stands, its times, and what was tried."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from worker.cli.common import OUTCOME_STYLES, age, cell, listing, moment, since
from worker.lanes.views import AttemptView, SignalView

_ENDED = ("dead", "finished")


def standing(signal: SignalView) -> Text:
    """Its outcome, or its state until it has one; ``?`` if it may be an order although that denies it."""
    if signal.state not in _ENDED:
        word = cell(signal.state or "no state", "bold")
    else:
        word = cell(signal.outcome or "no reason", OUTCOME_STYLES.get(signal.outcome, "red"))
    return word.append(" ?", "bold red") if signal.in_doubt and signal.outcome != "unknown" else word


def facts(signal: SignalView, now_ms: int) -> Table:
    """What is known of it, row by row."""
    grid = Table.grid(padding=(0, 2))
    rows = {
        "connector": cell(signal.connector),
        "action": cell(f"{signal.action} ({signal.action_class})"),
        "order id": cell(signal.order_id or "none"),
        "attempts": Text("?" if signal.attempts is None else str(signal.attempts)),
        "admitted": _time(signal.admitted_ms, now_ms),
        "due": _time(signal.due_ms, now_ms),
    }
    if signal.expires_ms is not None:
        rows["expires"] = _time(signal.expires_ms, now_ms)
    if signal.state in _ENDED:
        rows["ended"] = _time(signal.ended_ms, now_ms)
        rows["why"] = cell(signal.why or "not noted", most=1000)
    for name, value in rows.items():
        grid.add_row(Text(f"  {name}", style="dim"), value)
    return grid


def attempts(history: tuple[AttemptView, ...]) -> Table:
    """What was tried, and what people did with it."""
    table = listing(
        "attempt", "at (UTC)", "took", "verdict", "why", title="Attempts", right=("attempt", "took")
    )
    for attempt in history:
        table.add_row(
            # What a person did is no attempt.
            "" if attempt.attempt is None else str(attempt.attempt),
            moment(attempt.at_ms),
            "" if attempt.ms is None else age(attempt.ms),
            cell(attempt.verdict, OUTCOME_STYLES.get(attempt.verdict, "")),
            cell(attempt.why),
        )
    return table


def _time(at_ms: int | None, now_ms: int) -> Text:
    return Text("?" if at_ms is None else f"{moment(at_ms)}  {since(now_ms, at_ms)}")
