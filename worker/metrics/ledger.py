"""What Redis says of all signals, asked once per scrape."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from worker.clock import steady
from worker.metrics import catalogue
from worker.records import Census, Outcome, ServerState

_TOTALS = {
    "signals_admitted_total": "admitted",
    "signals_duplicates_total": "duplicate",
    "signals_conflicts_total": "conflict",
    "signals_full_total": "full",
    "signals_throttled_total": "throttled",
}


class LedgerCollector(Collector):
    """Reads the census when it is scraped. Never raises: without an answer all it tells is ``redis_up 0``.

    However many scrapes overlap, Redis is asked once: who comes while somebody asks gets that answer.
    """

    def __init__(
        self,
        census: Callable[[], Census],
        *,
        clock: Callable[[], float] = steady,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``census`` asks Redis, and must give up soon: a scrape takes as long. ``wall``: this machine's time
        in seconds since 1970."""
        self._census = census
        self._clock = clock
        self._wall = wall
        self._turn = threading.Lock()
        self._asked = float("-inf")
        self._found: tuple[Census, float] | None = None

    def collect(self) -> Iterator[Metric]:
        found = self._ask()
        yield _gauge("signals_redis_up", float(found is not None))
        if found is not None:
            census, skew = found
            yield _gauge("signals_clock_skew_seconds", skew)
            yield from families(census)

    def _ask(self) -> tuple[Census, float] | None:
        """The census and the skew of the clocks; None if Redis did not answer."""
        came = self._clock()
        with self._turn:
            if self._asked < came:  # else somebody has asked and been answered while we waited for our turn
                self._found = self._read()
                self._asked = self._clock()
            return self._found

    def _read(self) -> tuple[Census, float] | None:
        asked = self._wall()
        try:
            census = self._census()
        except Exception:  # noqa: BLE001 - whatever it is, the rest of the page must be told
            return None
        return census, census.now_ms / 1000 - (asked + self._wall()) / 2


def families(census: Census) -> Iterator[Metric]:
    """All that a census has to tell."""
    for name, total in _TOTALS.items():
        family = catalogue.counters(name)
        family.add_metric([], max(0, census.totals.get(total, 0)))
        yield family
    yield _ended(census)
    yield _gauge("signals_waiting", census.waiting)
    yield _gauge("signals_delayed", census.delayed)
    yield _gauge("signals_lanes_working", census.lanes)
    states = {"leased": census.leased, "rung": census.rung, "halted": census.halted, "waiting": census.parked}
    yield _gauges("signals_lanes", states)
    yield _gauge("signals_oldest_due_seconds", _oldest(census, census.oldest_due_ms))
    yield _gauge("signals_oldest_free_due_seconds", _oldest(census, census.oldest_free_due_ms))
    yield _gauge("signals_oldest_ring_seconds", _age(census, census.oldest_rung_ms))
    yield _gauge("signals_oldest_unknown_seconds", _age(census, census.oldest_unknown_ms))
    yield _gauge("signals_ring_queue", census.ring_queue)
    yield _gauges("signals_dead_letters", _by_reason(census.dead))
    yield _gauges("signals_dead_exits", _by_reason(census.dead_exits))
    whole = {scope: float(scope in census.pauses) for scope in ("all", "entries")}
    yield _gauges("signals_paused", {**whole, "connectors": sum(":" in scope for scope in census.pauses)})
    yield _gauges("signals_circuit_open", dict.fromkeys(map(catalogue.label, census.circuits), 1.0))
    yield _gauge("signals_circuits_open", census.circuits_open)
    yield _gauge("signals_workers", census.workers)
    if census.server is not None:
        yield from _server(census.server)


def _ended(census: Census) -> CounterMetricFamily:
    """Totals fall when a dead letter gets another fate; what was told must not."""
    family = catalogue.counters("signals_ended_total")
    for outcome in map(str, Outcome):
        count = census.totals.get(outcome, 0) + census.revised.get(outcome, 0)
        family.add_metric([outcome], max(0, count))
    return family


def _server(server: ServerState) -> Iterator[Metric]:
    yield _gauge("signals_redis_memory_bytes", server.memory)
    yield _gauge("signals_redis_memory_limit_bytes", server.memory_limit)
    yield _gauge("signals_redis_aof_enabled", float(server.append_only))
    yield _gauge("signals_redis_evicting", float(server.evicting))
    yield _gauge("signals_redis_refusing", float(server.refuses is not None))


_REASONS = ("unknown", "rejected", "unsent", "expired", "invalid")


def _by_reason(counts: dict[str, int]) -> dict[str, float]:
    """Every reason, for an alert needs the 0 before the 1; what else somebody counted there is ``other``."""
    told = dict.fromkeys((*_REASONS, "other"), 0.0)
    for reason, count in counts.items():
        told[catalogue.known(reason, _REASONS)] += count
    return told


def _oldest(census: Census, due_ms: int | None) -> float:
    """A delayed signal whose time has come and that nobody brings in waits, too."""
    return max(_age(census, due_ms), _age(census, census.next_delayed_ms))


def _age(census: Census, since_ms: int | None) -> float:
    return 0.0 if since_ms is None else max(0, census.now_ms - since_ms) / 1000


def _gauge(name: str, value: float) -> GaugeMetricFamily:
    family = catalogue.gauges(name)
    family.add_metric([], value)
    return family


def _gauges(name: str, values: dict[str, float] | dict[str, int]) -> GaugeMetricFamily:
    family = catalogue.gauges(name)
    for value_of, value in values.items():
        family.add_metric([value_of], value)
    return family
