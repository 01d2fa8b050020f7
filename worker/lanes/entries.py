"""From the raw values of a record to its view, however broken they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from worker.lanes import foreign
from worker.lanes.views import AttemptView, LaneView, SignalView

FIELDS = (
    "connector",
    "action",
    "class",
    "state",
    "attempts",
    "unknowns",
    "admitted",
    "due",
    "expires",
    "ended",
    "outcome",
    "why",
    "order",
)
"""What a signal's view is made of, as the record names it."""


def signal(signal_id: bytes, values: Sequence[bytes | None] | None) -> SignalView | None:
    """A signal from its ``FIELDS``; None if it has none of them."""
    if values is None or not any(values):
        return None
    raw = dict(zip(FIELDS, values, strict=True))
    return SignalView(
        id=foreign.text(signal_id),
        connector=foreign.text(raw["connector"]),
        action=foreign.text(raw["action"]),
        action_class=foreign.text(raw["class"]),
        state=foreign.text(raw["state"]),
        attempts=foreign.number(raw["attempts"]),
        unknowns=foreign.number(raw["unknowns"]),
        admitted_ms=foreign.number(raw["admitted"]),
        due_ms=foreign.number(raw["due"]),
        expires_ms=foreign.number(raw["expires"]),
        ended_ms=foreign.number(raw["ended"]),
        outcome=foreign.text(raw["outcome"]),
        why=foreign.text(raw["why"]),
        order_id=foreign.text(raw["order"]),
    )


def gone(signal_id: bytes) -> SignalView:
    """A dead letter whose record somebody deleted: it must still be seen."""
    return SignalView(
        id=foreign.text(signal_id),
        connector="",
        action="",
        action_class="",
        state="dead",
        attempts=None,
        unknowns=None,
        admitted_ms=None,
        due_ms=None,
        expires_ms=None,
        ended_ms=None,
        outcome="",
        why="its record is gone",
        order_id="",
    )


def lane(name: bytes, due: float, facts: Sequence[Any], head: SignalView | None) -> LaneView:
    """A lane; ``facts``: id of its head, lengths of lane and calendar, leased, rung, wake-up, halted."""
    head_id, waiting, delayed, leased, rung, wakeup, halted = facts
    states = (("leased", leased), ("rung", rung is not None), ("retry", wakeup is not None))
    held = "halted" if halted is not None else "lost"
    state = next((name for name, holds in states if holds), held)
    return LaneView(
        connector=foreign.text(name),
        waiting=waiting or 0,
        delayed=delayed or 0,
        state=state,
        until_ms=foreign.number(wakeup),
        due_ms=foreign.number(due),
        head=foreign.text(head_id),
        action=head.action if head else "",
        attempts=head.attempts if head else None,
    )


def history(raw: bytes | None) -> tuple[AttemptView, ...]:
    """The attempts that a record remembers, oldest first; a broken line is told of by its length."""
    return tuple(_attempt(line) for line in (raw or b"").split(b"\n") if line.strip())


def _attempt(line: bytes) -> AttemptView:
    note = foreign.load(line)
    if not isinstance(note, dict):
        return AttemptView(None, None, None, "", f"unreadable note of {len(line)} bytes")
    number, at, ms = (foreign.number(note.get(name)) for name in ("attempt", "at", "ms"))
    return AttemptView(number, at, ms, foreign.text(note.get("verdict")), foreign.text(note.get("why")))
