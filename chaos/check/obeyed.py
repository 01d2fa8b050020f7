"""After a pause has returned, nothing that it covers is posted until it is taken off."""

from __future__ import annotations

from collections.abc import Iterator

from chaos.check.case import AFTERMATH, SUSPENSIONS, Case, Violation
from chaos.history import Arrival, Pause, Record


def rules(case: Case) -> Iterator[Violation]:
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
    # A worker that stood still between its last look and its first byte: a stated limit.
    since = pause.returned - case.limits.lease - AFTERMATH
    return not case.deeds_between(since, one.began, SUSPENSIONS)


def _violation(one: Arrival, record: Record, pause: Pause) -> Violation:
    text = f"arrival {one.number} although {pause.scope!r} was paused from {pause.returned:.3f}"
    return Violation("disobeyed", text, record.id, record.connector)
