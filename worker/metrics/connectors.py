"""Series per connector, but never more than was asked for: thousands of accounts would drown Prometheus."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from worker.clock import steady
from worker.events import Observer
from worker.metrics import catalogue
from worker.metrics.process import seconds_to_outcome
from worker.records import Ended

OTHER = "other"
TURN = 60.0
"""Seconds between two times that a member may lose its place; shorter ones would tear series into pieces."""
_CLEARLY = 2
"""A member gives way to who did so many times as much as it since the last turn..."""
_AT_LEAST = 10
"""...and so many signals more, or quiet accounts would push each other out all day."""
_CANDIDATES_PER_PLACE = 4


@dataclass(slots=True)
class ConnectorSeries:
    """What is told of one connector."""

    outcomes: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def count(self) -> int:
        return sum(self.outcomes.values())

    def add(self, outcome: str, seconds: float) -> None:
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        self.seconds += seconds

    def swallow(self, gone: ConnectorSeries) -> None:
        for outcome, count in gone.outcomes.items():
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + count
        self.seconds += gone.seconds


class BusiestConnectors:
    """Counts by connector for at most ``places`` of them, and all others together. Safe with threads.

    Members are sticky. Once a turn the least busy one may lose its place to an outsider that is clearly
    busier; what was counted for it goes to the others, so that the sum over all series stays the total. While
    a series is there it only grows. Memory is bounded by ``places``, whatever the number of connectors.
    """

    def __init__(self, places: int | None, clock: Callable[[], float] = steady) -> None:
        """``places``: None for any number."""
        self._places = places
        self._clock = clock
        self._lock = threading.Lock()
        self._members: dict[str, ConnectorSeries] = {}
        self._others = ConnectorSeries()
        self._busy: dict[str, int] = {}
        self._candidates: dict[str, int] = {}
        self._next_turn = clock() + TURN

    def add(self, connector: str, outcome: str, seconds: float) -> None:
        name = catalogue.label(connector)
        with self._lock:
            if self._clock() >= self._next_turn:
                self._turn()
            self._series(name).add(outcome, seconds)

    def series(self) -> dict[str, ConnectorSeries]:
        """A copy of what is counted; ``other`` only if there is any."""
        with self._lock:
            found = {**self._members, **({OTHER: self._others} if self._others.outcomes else {})}
            return {name: ConnectorSeries(dict(one.outcomes), one.seconds) for name, one in found.items()}

    def _series(self, name: str) -> ConnectorSeries:
        member = self._members.get(name)
        if member is None and name != OTHER and (self._places is None or len(self._members) < self._places):
            member = self._members[name] = ConnectorSeries()
        if member is not None:
            self._busy[name] = self._busy.get(name, 0) + 1
            return member
        if name != OTHER:
            self._note_candidate(name)
        return self._others

    def _note_candidate(self, name: str) -> None:
        # Misra and Gries: whoever has more than its share of the outsiders' signals is among those counted,
        # in memory that does not grow with their number.
        if name in self._candidates or len(self._candidates) < (self._places or 0) * _CANDIDATES_PER_PLACE:
            self._candidates[name] = self._candidates.get(name, 0) + 1
        else:
            self._candidates = {other: count - 1 for other, count in self._candidates.items() if count > 1}

    def _turn(self) -> None:
        self._next_turn = self._clock() + TURN
        if self._candidates and self._members:
            idlest = min(self._members, key=lambda name: self._busy.get(name, 0))
            busiest = max(self._candidates, key=lambda name: self._candidates[name])
            did, would = self._busy.get(idlest, 0), self._candidates[busiest]
            if would >= did * _CLEARLY and would >= did + _AT_LEAST:
                self._others.swallow(self._members.pop(idlest))
                self._members[busiest] = ConnectorSeries()
        self._busy, self._candidates = {}, {}


class ConnectorMetrics(Collector, Observer):
    """Tells Prometheus of the busiest connectors. An observer, too."""

    def __init__(self, busiest: BusiestConnectors) -> None:
        self._busiest = busiest

    def collect(self) -> Iterator[Metric]:
        outcomes = catalogue.counters("signals_connector_outcomes_total")
        latency = catalogue.summaries("signals_connector_latency_seconds")
        for name, one in self._busiest.series().items():
            for outcome, count in one.outcomes.items():
                outcomes.add_metric([name, outcome], count)
            latency.add_metric([name], one.count, one.seconds)
        yield outcomes
        yield latency

    def ended(self, ended: Ended) -> None:
        self._busiest.add(ended.lane, ended.outcome.value, seconds_to_outcome(ended))


def connector_metrics(wanted: str) -> ConnectorMetrics | None:
    """What SIGNALS_METRICS_CONNECTORS asks for: ``all``, ``top:N`` or ``none``."""
    if wanted == "none":
        return None
    return ConnectorMetrics(BusiestConnectors(None if wanted == "all" else int(wanted.removeprefix("top:"))))
