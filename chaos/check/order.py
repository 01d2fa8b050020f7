"""An account's signals are posted one at a time and in order, and what was made pointless is not posted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from chaos.check.case import Case, Violation
from chaos.check.outcomes import drops
from chaos.history import Arrival, Record, Sent


def rules(case: Case) -> Iterator[Violation]:
    for arrivals in case.lanes.values():
        yield from _out_of_order(case, arrivals)
        yield from _two_at_once(case, arrivals)
    yield from _not_dropped(case)


def _out_of_order(case: Case, arrivals: list[Arrival]) -> Iterator[Violation]:
    """No account's signal goes before an earlier one, but for exits that overtake entries in a pause."""
    furthest: Record | None = None
    furthest_in_turn: Record | None = None
    for one in arrivals:
        record = case.records[one.id or ""]
        before = furthest_in_turn if record.action_class == "entry" else furthest
        if before is not None and record.place < before.place and not case.is_stray(one, record):
            text = f"arrival {one.number} after {before.id}, which comes later"
            yield Violation("out of order", text, record.id, record.connector)
        furthest = _further(furthest, record)
        if not case.may_overtake(record, one.began):
            furthest_in_turn = _further(furthest_in_turn, record)


def _further(one: Record | None, other: Record) -> Record:
    return other if one is None or other.place > one.place else one


def _two_at_once(case: Case, arrivals: list[Arrival]) -> Iterator[Violation]:
    """While one was being answered, another came.

    Nothing can be said of an attempt that its worker gave up: the ledger has doubts about that one.
    """
    open_one: Arrival | None = None
    for one in arrivals:
        if open_one is not None and open_one.ended is not None and one.began < open_one.ended:
            record = case.records[open_one.id or ""]
            if not case.is_doubtful(record) and not case.is_stray(one, case.records[one.id or ""]):
                text = f"arrival {one.number} while {open_one.number} ({open_one.id}) had no answer yet"
                yield Violation("two at once", text, one.id, one.connector)
        if open_one is None or (one.ended or one.began) >= (open_one.ended or open_one.began):
            open_one = one


def _not_dropped(case: Case) -> Iterator[Violation]:
    """Posted although a cancel or close was admitted while it still waited.

    What was not due yet waited for certain. Of what was due one may have been in flight, but not two.
    """
    posted: dict[str, list[tuple[Arrival, Sent, Record]]] = defaultdict(list)
    for sent, record in case.pairs():
        if sent.id in case.arrivals:
            posted[sent.connector].append((case.arrivals[sent.id][0], sent, record))
    for by, cause in case.pairs():
        if by.drops is None or by.delay:
            continue
        meant = [one for one in posted[by.connector] if drops(by, cause, *one[1:])]
        later = [one for one in meant if one[2].due_ms > cause.admitted_ms]
        if by.drops == "all":
            begun_after = (one for one in meant if one not in later and _began_after(one[0], cause))
            later += sorted(begun_after, key=lambda one: one[0].number)[1:]
        for _, sent, _ in later:
            yield Violation("not dropped", f"posted although {by.id} meant it", sent.id, sent.connector)


def _began_after(first: Arrival, cause: Record) -> bool:
    return first.began * 1000 > cause.admitted_ms + 1
