"""What was measured: numbers by scenario, contender and metric, one per round."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

CPU = "worker CPU µs/signal"
SERVER = "server CPU µs/signal"
RATE = "signals/s"
SENDER = "sender CPU µs/signal"
P50, P99, WORST = "p50 ms", "p99 ms", "max ms"

OURS, NAIVE, CEILING = "signal-worker", "naive Celery", "ceiling"
POST, SESSION, DRAMATIQ, RQ = "requests.post", "Session.post", "Dramatiq", "RQ"


class Key(NamedTuple):
    scenario: str
    contender: str
    metric: str


@dataclass
class Samples:
    """All numbers of one run."""

    values: dict[Key, list[float]] = field(default_factory=dict)
    server: str = ""
    """What they were measured on, for people."""

    def add(self, scenario: str, contender: str, **metrics: float) -> None:
        """Metrics are given by the names of this module's constants, in lower case."""
        for name, value in metrics.items():
            self.put(scenario, contender, globals()[name.upper()], value)

    def put(self, scenario: str, contender: str, metric: str, value: float) -> None:
        self.values.setdefault(Key(scenario, contender, metric), []).append(value)

    def of(self, scenario: str, contender: str, metric: str) -> list[float]:
        return self.values.get(Key(scenario, contender, metric), [])

    def ratios(self, scenario: str, metric: str, above: str, below: str) -> list[float]:
        """``above`` by ``below``, round by round: what both met at the same time cancels out."""
        pairs = zip(self.of(scenario, above, metric), self.of(scenario, below, metric), strict=False)
        return [one / other for one, other in pairs if other]

    def rows(self) -> Iterator[tuple[Key, Spread]]:
        for key, values in self.values.items():
            yield key, Spread.of(values)


@dataclass(frozen=True)
class Spread:
    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))


def percentile(values: Sequence[float], mark: float) -> float:
    """The value that the share ``mark`` of them does not exceed."""
    found = sorted(values)
    return found[min(len(found) - 1, int(mark * len(found)))]
