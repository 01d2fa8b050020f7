"""The ledger's sums agree with its records, nothing is left behind, no token got out, no process died."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from chaos.check.case import Case, Violation
from chaos.check.outcomes import DEAD
from chaos.history import claims_of

OUTCOMES = ("accepted", "cancelled", "rejected", "expired", "unsent", "invalid", "unknown", "discarded")
HOLDS_ITS_ID = ("accepted", "unknown")


def rules(case: Case) -> Iterator[Violation]:
    yield from _sums(case)
    yield from _claims(case)
    for name, size in case.history.books.left_behind.items():
        yield Violation("left behind", f"{name} still holds {size}")
    for place in case.history.leaks:
        yield Violation("leak", f"a token was seen in {place}")
    for text in case.history.sick:
        yield Violation("sick", text)
    yield from _exits(case)


def _sums(case: Case) -> Iterator[Violation]:
    books, ends = case.history.books, Counter(record.outcome for record in case.history.records)
    expected = {"admitted": len(case.history.records), "vanished": 0, "buried": 0}
    expected |= {name: ends[name] for name in OUTCOMES}
    yield from _compare("totals", books.totals, expected)
    live = {"waiting": 0, "delayed": 0} | {f"dead:{name}": ends[name] for name in DEAD}
    yield from _compare("counts", books.counts, live)
    for name in ("duplicate", "conflict"):
        told = sum(sent.status == name for sent in case.history.sent)
        if books.totals.get(name, 0) < told:  # more if an answer was lost: the call was made again
            text = f"totals {name} is {books.totals.get(name, 0)}, but {told} were told so"
            yield Violation("miscounted", text)


def _compare(what: str, found: dict[str, int], expected: dict[str, int]) -> Iterator[Violation]:
    for name, number in expected.items():
        if found.get(name, 0) != number:
            yield Violation("miscounted", f"{what} {name} is {found.get(name, 0)}, recounted {number}")


def _claims(case: Case) -> Iterator[Violation]:
    expected = {
        claim: record.id
        for sent, record in case.pairs()
        if record.outcome in HOLDS_ITS_ID
        for claim in claims_of(sent)
    }
    found = case.history.books.claims
    for claim in sorted(expected.keys() | found.keys()):
        if expected.get(claim) != found.get(claim):
            text = f"{claim} is held by {found.get(claim)}, not by {expected.get(claim)}"
            yield Violation("claim astray", text, expected.get(claim) or found.get(claim))
    bodies = {record.id for record in case.history.records if record.outcome in DEAD}
    for name in sorted(bodies ^ case.history.books.bodies):
        kept = "kept" if name in case.history.books.bodies else "gone"
        yield Violation("body astray", f"its body is {kept}", name)


def _exits(case: Case) -> Iterator[Violation]:
    for one in case.history.exits:
        if one.asked in ("kill", "crash") or not one.was_ready:
            continue  # one that cannot start tries again, as it would anywhere
        if one.asked is None or one.code != 0:
            asked = "after it was told to stop" if one.asked else "by itself"
            yield Violation("died", f"{one.process} ended {asked}, with {one.code}")
