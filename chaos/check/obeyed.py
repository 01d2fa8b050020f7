"""What is paused is not posted until it is taken off, and what a person has dropped never is."""

from __future__ import annotations

from collections.abc import Iterator

from chaos.check.case import SUSPENSIONS, Case, Violation
from chaos.history import Arrival, Pause, Record

_WAKING = 1.0
"""Seconds within which a worker that stood still sends what it was about to send."""


def rules(case: Case) -> Iterator[Violation]:
    yield from _dropped(case)
    for one in case.history.arrivals:
        record = case.records.get(one.id or "")
        if record is None:
            continue
        for pause in case.history.pauses:
            if pause.covers(record.connector, record.action_class) and _disobeys(case, one, pause):
                yield _violation(one, record, pause)


def _disobeys(case: Case, one: Arrival, pause: Pause) -> bool:
    if not pause.returned + case.limits.lateness < one.began < pause.released:
        return False
    # A worker that stood still between its last look and its first byte, and has just woken: a stated limit.
    return not any(
        deed.kind in SUSPENSIONS
        and deed.began < pause.returned
        and deed.ended <= one.began < deed.ended + _WAKING
        for deed in case.history.deeds
    )


def _dropped(case: Case) -> Iterator[Violation]:
    for drop in case.history.drops:
        record = case.records.get(drop.id)
        if drop.status != "done" or record is None:
            continue
        late = any(one.began > drop.returned + case.limits.lateness for one in case.arrivals.get(drop.id, ()))
        if record.outcome != "cancelled" or late:
            text = f"a person was told that it is dropped; {'posted after that' if late else record.outcome}"
            yield Violation("drop forgotten", text, record.id, record.connector)


def _violation(one: Arrival, record: Record, pause: Pause) -> Violation:
    text = f"arrival {one.number} although {pause.scope!r} was paused from {pause.returned:.3f}"
    return Violation("disobeyed", text, record.id, record.connector)
