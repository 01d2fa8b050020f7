"""Nothing is posted twice that must not be, nothing unnoted, and what is posted is what was sent."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from chaos.check.case import Case, Violation
from chaos.history import Arrival, Record

REPEATABLE = ("full", "cancel")
"""Classes whose repetition finds nothing left to do."""


def rules(case: Case) -> Iterator[Violation]:
    for sent, record in case.pairs():
        arrivals = case.arrivals.get(record.id, [])
        if sent.action_class in REPEATABLE:
            yield from _too_often(case, record, arrivals)
        else:
            yield from _doubled(record, arrivals)
        if len(arrivals) > record.attempts:
            yield _of(record, "unnoted", f"{len(arrivals)} arrivals of {record.attempts} noted attempts")
        if record.action_class != sent.action_class or record.action != sent.action:
            text = f"a {sent.action} ({sent.action_class}), taken for {record.action} ({record.action_class})"
            yield _of(record, "misread", text)
        for one in arrivals:
            if not one.intact or one.connector != sent.connector:
                yield _of(record, "garbled", f"arrival {one.number} is not what was sent")


def _doubled(record: Record, arrivals: list[Arrival]) -> Iterator[Violation]:
    for earlier, later in pairwise(arrivals):
        if not earlier.unsent:
            text = f"arrival {later.number} although {earlier.number} may have become an order"
            yield _of(record, "doubled", text)


def _too_often(case: Case, record: Record, arrivals: list[Arrival]) -> Iterator[Violation]:
    open_ones = sum(not one.unsent for one in arrivals)
    if open_ones > case.limits.resend_limit + 1:
        yield _of(record, "repeated too often", f"{open_ones} arrivals that may each have done it")


def _of(record: Record, rule: str, text: str) -> Violation:
    return Violation(rule, text, record.id, record.connector)
