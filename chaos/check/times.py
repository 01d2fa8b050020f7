"""Nothing goes out before it is due, and no entry after it has expired."""

from __future__ import annotations

from collections.abc import Iterator

from chaos.check.case import SUSPENSIONS, Case, Violation
from chaos.history import Record, Sent

_CLOCK_MS = 2
"""Both clocks are one, but each cuts to whole milliseconds."""


def rules(case: Case) -> Iterator[Violation]:
    for sent, record in case.pairs():
        yield from _noted_wrongly(sent, record)
        yield from _arrived_wrongly(case, sent, record)


def _noted_wrongly(sent: Sent, record: Record) -> Iterator[Violation]:
    """The ledger's own times must follow from what was sent, and when."""
    waits = record.due_ms - record.admitted_ms
    late_by = waits - sent.delay * 1000
    if not 0 <= late_by <= _CLOCK_MS:
        yield _of(record, "misdated", f"due {waits} ms after its admission, not {sent.delay:g} s")
    began_ms, told_ms = sent.began * 1000, (sent.told_at or float("inf")) * 1000
    if not began_ms - _CLOCK_MS <= record.admitted_ms <= told_ms + _CLOCK_MS:
        yield _of(record, "misdated", "admitted before it was sent, or after its sender was told")
    age = None if record.expires_ms is None else record.expires_ms - record.due_ms
    wanted = None if sent.max_age is None else sent.max_age * 1000
    if (age is None) != (wanted is None) or abs((age or 0) - (wanted or 0)) > _CLOCK_MS:
        yield _of(record, "misdated", f"expires {age} ms after it is due, not {wanted}")


def _arrived_wrongly(case: Case, sent: Sent, record: Record) -> Iterator[Violation]:
    for one in case.arrivals.get(record.id, ()):
        if one.began * 1000 < record.due_ms:
            early = record.due_ms - one.began * 1000
            yield _of(record, "early", f"arrival {one.number} came {early:.0f} ms before it was due")
        if record.expires_ms is None:
            continue
        late = one.began - record.expires_ms / 1000
        if late > case.limits.lateness and not case.deeds_between(
            record.expires_ms / 1000, one.began, SUSPENSIONS
        ):
            what = f"arrival {one.number} of an {sent.action_class}"
            yield _of(record, "stale", f"{what} came {late:.2f} s after it had expired")


def _of(record: Record, rule: str, text: str) -> Violation:
    return Violation(rule, text, record.id, record.connector)
