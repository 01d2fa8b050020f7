"""A history with its parts sorted by signal and by account, and what the rules ask of it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from chaos.history import Arrival, Deed, Ending, History, Record, Sent

SUSPENSIONS = (
    "suspend worker",
    "suspend worker for longer than its lease",
)
"""Deeds after which a worker may send what it had looked at long before."""
CAUSES = {
    "suspend worker": "worker suspended",
    "suspend worker for longer than its lease": "worker suspended",
    "kill server": "server gone",
    "restart server": "server gone",
    "suspend server": "server silent",
    "pause clients": "server silent",
    "drop clients": "connections cut",
    "cut wire": "connections cut",
    "freeze wire": "wire frozen",
    "freeze wire for longer than a lease": "wire frozen",
    "lossy wire": "answers of Redis lost",
    "slow wire": "wire slow",
    "endpoint down": "endpoint gone while sending",
}
"""Deeds that can leave the fate of an attempt open although the endpoint did nothing odd, likeliest first."""
_AFTERMATH = 5.0
"""Seconds beyond the lease until the last consequence of a deed is written down."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken."""

    rule: str
    text: str
    id: str | None = None
    connector: str | None = None


class Case:
    """What the rules read."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.limits = history.limits
        self.sent: dict[str, Sent] = {one.id: one for one in history.sent}
        self.records: dict[str, Record] = {one.id: one for one in history.records}

    @cached_property
    def arrivals(self) -> dict[str, list[Arrival]]:
        """By signal, in order of arrival."""
        found = defaultdict(list)
        for one in self.history.arrivals:
            if one.id is not None:
                found[one.id].append(one)
        return found

    @cached_property
    def lanes(self) -> dict[str, list[Arrival]]:
        """Arrivals of known signals by account, in order of arrival."""
        found = defaultdict(list)
        for one in self.history.arrivals:
            if one.id in self.records:
                found[one.connector].append(one)
        return found

    @cached_property
    def endings(self) -> dict[str, list[Ending]]:
        """By signal, in order of time."""
        found = defaultdict(list)
        for one in self.history.endings:
            found[one.id].append(one)
        return found

    def pairs(self) -> Iterable[tuple[Sent, Record]]:
        """Signals that were admitted, with their records."""
        return ((self.sent[one.id], one) for one in self.history.records if one.id in self.sent)

    def deeds_between(self, began: float, ended: float, kinds: Iterable[str] | None = None) -> list[Deed]:
        """Deeds that touch this stretch of time."""
        return [
            deed
            for deed in self.history.deeds
            if deed.began <= ended and deed.ended >= began and (kinds is None or deed.kind in kinds)
        ]

    def may_overtake(self, record: Record, until: float) -> bool:
        """Whether entries, and only they, were held while this signal, which is none, waited."""
        return record.action_class != "entry" and any(
            pause.asked <= until
            and pause.over >= record.due_ms / 1000
            and pause.covers(record.connector, "entry")
            and not pause.covers(record.connector, "full")
            for pause in self.history.pauses
        )

    def is_doubtful(self, record: Record) -> bool:
        """Whether the ledger itself noted, at any time, that an attempt's fate is open."""
        return (
            record.unknowns > 0
            or record.outcome == "unknown"
            or any(one.outcome == "unknown" for one in self.endings.get(record.id, ()))
        )

    def is_stray(self, arrival: Arrival, record: Record) -> bool:
        """Sent by a worker that stood still between its last look and its first byte: a stated limit.

        It arrives after its signal has ended, and a worker was suspended in between.
        """
        endings = self.endings.get(record.id)
        if not endings or arrival.began * 1000 < endings[0].at_ms:
            return False
        lease = self.limits.lease + _AFTERMATH
        return bool(self.deeds_between(endings[0].at_ms / 1000 - lease, arrival.began, SUSPENSIONS))

    def cause_of_doubt(self, record: Record) -> str | None:
        """Why a signal's fate is open; None if there is no reason why it should be."""
        arrivals = self.arrivals.get(record.id, [])
        if any(one.may_count and not one.ok for one in arrivals):
            return "answer unclear"
        if any(
            one.ended is not None and one.ended - one.began > self.limits.deadline / 2 for one in arrivals
        ):
            return "answer slow"
        end = (record.ended_ms or 0) / 1000
        begin = end - self.limits.lease - _AFTERMATH
        if any(
            one.id is None and one.connector in ("", record.connector) and begin <= one.began <= end
            for one in self.history.arrivals
        ):
            return "answer unclear"
        if any(begin <= one.at <= end and one.asked in ("kill", "crash") for one in self.history.exits):
            return "worker killed"
        done = {deed.kind for deed in self.deeds_between(begin, end)}
        return next((cause for kind, cause in CAUSES.items() if kind in done), None)
