"""Every signal has exactly one outcome, and that is true."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from chaos.check.case import Case, Violation
from chaos.history import Record, Sent

DEAD = ("rejected", "expired", "unsent", "unknown")
DENIALS = ("rejected", "expired", "unsent", "cancelled")
"""Outcomes that say: there is no order."""
SILENT = "its worker went silent while sending"
"""What a signal is told to have suffered whose worker let its lease run out."""
OVERTAKES = {
    "closeLong": "openLong",
    "closeShort": "openShort",
    "sell": "buy",
    "positionSync": "positionSync",
}
"""What must not be posted after what went before it in a pause."""
BY_PERSON = "dropped by operator"
NEVER_DROPPED = ("cancel", "cancelAll", "positionSync")


def rules(case: Case) -> Iterator[Violation]:
    for sent, record in case.pairs():
        yield from _one_outcome(case, record)
        yield from _judged_too_soon(case, record)
        if record.outcome in DENIALS and any(one.may_count for one in case.arrivals.get(record.id, ())):
            yield _of(record, "denied", f"{record.outcome}, but the endpoint may have taken it")
        meaning = _MEANINGS.get(record.outcome or "")
        if meaning is not None:
            yield from meaning(case, sent, record)
        elif record.outcome is not None:
            yield _of(record, "no such outcome", f"{record.outcome}: nothing in this run ends so")


def _one_outcome(case: Case, record: Record) -> Iterator[Violation]:
    expected = "dead" if record.outcome in DEAD else "finished"
    if record.outcome is None or record.state != expected:
        yield _of(record, "no outcome", f"left {record.state}, outcome {record.outcome}")
        return
    told = [one.outcome for one in case.endings.get(record.id, ())]
    # An answer that came after all settles what had been called unknown.
    if not told or told[-1] != record.outcome or any(one != "unknown" for one in told[:-1]):
        yield _of(record, "two outcomes", f"the stream tells {told}, the record {record.outcome}")


def _judged_too_soon(case: Case, record: Record) -> Iterator[Violation]:
    """A worker counts as silent when its lease has run out, and it had none before the signal was due."""
    endings = case.endings.get(record.id, [])
    judged = [one.at_ms for one in endings[:-1] if one.outcome == "unknown"]
    if record.why == SILENT:
        judged.append(record.ended_ms or 0)
    notes = (json.loads(line) for line in record.history)
    judged += [note["until"] for note in notes if note["why"] == SILENT]
    if any(at < record.due_ms + case.limits.lease * 1000 for at in judged):
        yield _of(record, "judged too soon", "its worker was called silent although it held its lease")


def _accepted(case: Case, _: Sent, record: Record) -> Iterator[Violation]:
    if not any(one.ok for one in case.arrivals.get(record.id, ())):
        yield _of(record, "accepted of nothing", "accepted, but the endpoint never said ok to it")


def _rejected(case: Case, _: Sent, record: Record) -> Iterator[Violation]:
    arrivals = case.arrivals.get(record.id, [])
    if not any(one.refused for one in arrivals):
        yield _of(record, "rejected by nobody", "rejected, but the endpoint never refused it")


def _cancelled(case: Case, sent: Sent, record: Record) -> Iterator[Violation]:
    by = record.why.rpartition(" ")[2]
    dropper, cause = case.sent.get(by), case.records.get(by)
    if record.why == BY_PERSON:
        meant = any(one.id == record.id and one.status in (None, "done") for one in case.history.drops)
    elif dropper is None or cause is None:
        meant = False
    else:
        meant = drops(dropper, cause, sent, record) or _overtaken(case, dropper, cause, sent, record)
    if not meant:
        yield _of(record, "cancelled by nobody", f"“{record.why}”, which does not mean it")


def drops(by: Sent, cause: Record, sent: Sent, record: Record) -> bool:
    """Whether ``by`` makes ``sent`` pointless if that still waits."""
    if by.connector != sent.connector or cause.seq <= record.seq or sent.action in NEVER_DROPPED:
        return False
    if by.drops == "order":
        return sent.order_id is not None and sent.order_id == by.target
    return by.drops in ("all", sent.action)


def _overtaken(case: Case, by: Sent, cause: Record, sent: Sent, record: Record) -> bool:
    """Whether an open would have come to stand behind its own close, which went before it in a pause."""
    return (
        OVERTAKES.get(by.action) == sent.action
        and (by.action_class == "full" or by.action == "positionSync")
        and record.place < cause.place
        and case.may_overtake(cause, (record.ended_ms or 0) / 1000)
    )


def _expired(_: Case, __: Sent, record: Record) -> Iterator[Violation]:
    # The server alone decides it, by its own clock.
    if record.expires_ms is None or (record.ended_ms or 0) <= record.expires_ms:
        yield _of(record, "expired too soon", f"expires {record.expires_ms}, ended {record.ended_ms}")


def _unsent(case: Case, _: Sent, record: Record) -> Iterator[Violation]:
    if record.expires_ms is None and record.attempts < case.limits.max_attempts:
        yield _of(record, "gave up too soon", f"unsent after {record.attempts} attempts")


def _unknown(case: Case, _: Sent, record: Record) -> Iterator[Violation]:
    if case.cause_of_doubt(record) is None:
        yield _of(record, "unknown without cause", f"“{record.why}”, but nothing happened to it")


_MEANINGS: dict[str, Callable[[Case, Sent, Record], Iterator[Violation]]] = {
    "accepted": _accepted,
    "rejected": _rejected,
    "cancelled": _cancelled,
    "expired": _expired,
    "unsent": _unsent,
    "unknown": _unknown,
}


def _of(record: Record, rule: str, text: str) -> Violation:
    return Violation(rule, text, record.id, record.connector)
