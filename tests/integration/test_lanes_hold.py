"""Signals that are held so that several senders' are sorted by arrival, not by admission."""

from __future__ import annotations

from tests.integration.desk import Desk, signal
from worker.lanes import Admission

HOLD = 1000
LATER = 600
"""More than it takes to admit twice, however busy the machine."""


def held(admitted_later: int, **fields: object) -> Admission:
    """Came earlier, and is admitted that much (ms) later than others: so much less is left of its hold."""
    left = HOLD - admitted_later
    return signal(delay_ms=left, hold_ms=left, **fields)


def close(admitted_later: int) -> Admission:
    return held(admitted_later, action="closeLong", action_class="full", drops="openLong")


def order_of(desk: Desk, count: int) -> list[str]:
    """Ids as they are handed out, once all are due."""
    desk.until(desk.redis_ms() + HOLD + 50)
    head, ids = desk.head(), []
    while head is not None:
        ids.append(head.id)
        _, head = desk.settle(head, more=len(ids) < count)
    return ids


def test_a_close_that_came_first_goes_first_and_spares_the_open(desk: Desk) -> None:
    opening, closing = held(0), close(LATER)
    desk.admit(opening)
    desk.admit(closing)
    assert order_of(desk, 2) == [closing.id, opening.id]


def test_an_open_that_came_first_goes_first(desk: Desk) -> None:
    closing, opening = close(0), held(LATER)
    desk.admit(closing)
    desk.admit(opening)
    assert order_of(desk, 2) == [opening.id, closing.id]


def test_a_close_drops_the_delayed_open_that_was_said_before_it(desk: Desk) -> None:
    later = signal(delay_ms=60_000, hold_ms=HOLD - LATER)
    closing = close(0)
    desk.admit(closing)
    desk.admit(later)  # came before the close, admitted after it
    assert order_of(desk, 1) == [closing.id]
    assert desk.record(later.id)["outcome"] == "cancelled"


def test_what_is_not_held_counts_from_its_admission(desk: Desk) -> None:
    opening = signal(delay_ms=60_000)
    desk.admit(opening)
    desk.admit(close(0))
    order_of(desk, 1)
    assert desk.record(opening.id)["outcome"] == "cancelled"
