"""What senders were told must be so: nothing accepted is lost, nothing refused is posted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from chaos.check.case import Case, Violation
from chaos.history import Record, Sent, claims_of

FREED_BY = ("cancelled", "rejected", "expired", "unsent", "invalid", "discarded")
"""Outcomes after which an id may be used again."""


def rules(case: Case) -> Iterator[Violation]:
    for sent in case.history.sent:
        yield from _told(case, sent)
    yield from _strangers(case)
    yield from _claimed_twice(case)


def _told(case: Case, sent: Sent) -> Iterator[Violation]:
    known = sent.id in case.records
    if sent.status == "accepted" and not known:
        yield _of(sent, "lost", "accepted, but the ledger does not know it")
    if sent.status in ("duplicate", "conflict", "invalid") and (known or sent.id in case.arrivals):
        yield _of(sent, "refused and taken", f"its sender was told {sent.status}, but it was taken")
    if sent.status is not None and sent.valid == (sent.status == "invalid"):
        yield _of(sent, "judged wrongly", f"told {sent.status}, although it is {_kind(sent)}")
    if sent.status in ("duplicate", "conflict"):
        yield from _refused(case, sent)


def _refused(case: Case, sent: Sent) -> Iterator[Violation]:
    holder = case.sent.get(sent.holder or "")
    record = case.records.get(sent.holder or "")
    if holder is None or record is None or not set(claims_of(sent)) & set(claims_of(holder)):
        yield _of(sent, "refused wrongly", f"told {sent.status} of {sent.holder}, which does not hold its id")
        return
    same = holder.content == sent.content
    if same != (sent.status == "duplicate"):
        yield _of(sent, "refused wrongly", f"told {sent.status} of {holder.id}, which trades otherwise")
    if _freed_before(record, sent.began):
        yield _of(sent, "refused wrongly", f"told {sent.status} of {holder.id}, which had freed its id")


def _freed_before(record: Record, at: float) -> bool:
    return record.outcome in FREED_BY and record.ended_ms is not None and record.ended_ms < at * 1000 - 1


def _strangers(case: Case) -> Iterator[Violation]:
    for record in case.history.records:
        if record.id not in case.sent:
            yield Violation("stranger", "in the ledger, but nobody sent it", record.id, record.connector)
    for one in case.history.arrivals:
        if one.id is not None and one.id not in case.sent:
            yield Violation("stranger", "arrived, but nobody sent it", one.id, one.connector)
        elif one.id is not None and one.id not in case.records:
            yield Violation("stranger", "arrived, but was never admitted", one.id, one.connector)


def _claimed_twice(case: Case) -> Iterator[Violation]:
    holders: dict[str, list[Record]] = defaultdict(list)
    for sent, record in case.pairs():
        for claim in claims_of(sent):
            holders[claim].append(record)
    for claim, records in holders.items():
        records.sort(key=lambda record: record.seq)
        for first, second in pairwise(records):
            freed = first.outcome in FREED_BY and (first.ended_ms or 0) <= second.admitted_ms
            if not freed:
                text = f"admitted although {first.id} ({first.outcome}) held {claim}"
                yield Violation("claimed twice", text, second.id, second.connector)


def _kind(sent: Sent) -> str:
    return "valid" if sent.valid else "no signal"


def _of(sent: Sent, rule: str, text: str) -> Violation:
    return Violation(rule, text, sent.id, sent.connector)
