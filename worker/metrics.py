"""Prometheus metrics of one process. An observer like any other: the core does not know it.

No label ever holds a token, an id or free text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from worker.records import Ended, Head, Outcome
from worker.verdict import Attempt
from worker.watched import Watched

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds; from an idle system's best to the default expiry of an entry."""


class Metrics:
    """Counts and times what the worker does."""

    def __init__(self, registry: CollectorRegistry, *, in_flight: Callable[[], float]) -> None:
        """``in_flight`` tells how many lanes this process holds, whenever it is scraped."""
        self._posts = Histogram(
            "signals_post_duration_seconds",
            "Time of one POST, by what it told.",
            ["verdict"],
            buckets=BUCKETS,
            registry=registry,
        )
        self._lateness = Histogram(
            "signals_lateness_seconds",
            "Time from a signal's due time to the start of its first POST.",
            buckets=BUCKETS,
            registry=registry,
        )
        self._latency = Histogram(
            "signals_latency_seconds",
            "Time from a signal's due time (admission plus delay) to its outcome.",
            ["outcome"],
            buckets=BUCKETS,
            registry=registry,
        )
        self._outcomes = Counter(
            "signals_outcomes_total",
            "Signals that ended, by how.",
            ["outcome", "action", "class"],
            registry=registry,
        )
        self._retries = Counter(
            "signals_retries_total", "Attempts that are made again.", ["class"], registry=registry
        )
        self._connections = Counter(
            "signals_connections_total",
            "Connections used for POSTs, new or kept alive.",
            ["kind"],
            registry=registry,
        )
        self._leases = Counter(
            "signals_leases_expired_total", "Leases of workers that went silent.", registry=registry
        )
        self._rings = Counter(
            "signals_rings_lost_total",
            "Rings that nobody answered and the sweep repeated.",
            registry=registry,
        )
        self._trouble = Counter(
            "signals_trouble_total",
            "Failures that are tried again by themselves.",
            ["where"],
            registry=registry,
        )
        Gauge("signals_lanes_in_flight", "Lanes this process holds.", registry=registry).set_function(
            in_flight
        )
        for outcome in Outcome:
            self._latency.labels(outcome.value)

    def attempted(self, head: Head, attempt: Attempt, *, late: float) -> None:
        self._posts.labels(str(attempt.verdict)).observe(attempt.seconds)
        self._connections.labels("kept" if attempt.reused else "new").inc()
        if head.attempt == 1:
            self._lateness.observe(late)

    def retried(self, head: Head, why: str, delay: float) -> None:  # noqa: ARG002 - texts make no labels
        self._retries.labels(head.action_class).inc()

    def ended(self, ended: Ended) -> None:
        self._outcomes.labels(ended.outcome.value, ended.action, ended.action_class).inc()
        self._latency.labels(ended.outcome.value).observe(max(0, ended.ended_ms - ended.due_ms) / 1000)

    def swept(self, *, leases_expired: int, rings_lost: int) -> None:
        self._leases.inc(leases_expired)
        self._rings.inc(rings_lost)

    def trouble(self, what: str, error: Exception) -> None:  # noqa: ARG002 - texts make no labels
        self._trouble.labels(what).inc()


class WatchedFiles(Collector):
    """Tells whether files that are read again when they change still can be; being scraped has them read."""

    def __init__(self, files: Mapping[str, Watched[Any] | None]) -> None:
        """``files``: by the name of the setting; None for those that are not used."""
        self._files = {name: file for name, file in files.items() if file is not None}

    def collect(self) -> Iterator[Metric]:
        failing = GaugeMetricFamily(
            "signals_config_failing",
            "1 while a changed file cannot be used and its former content stays in force.",
            labels=["file"],
        )
        changes = CounterMetricFamily(
            "signals_config_changes", "Changed files, taken over or refused.", labels=["file", "result"]
        )
        for name, file in self._files.items():
            failing.add_metric([name], float(file.failing() is not None))
            changes.add_metric([name, "taken"], file.reloads)
            changes.add_metric([name, "refused"], file.failures)
        yield failing
        yield changes
