"""Every metric of a worker: name, type, labels and help, each once. Metrics are made from here only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds; from an idle system's best to the default expiry of an entry."""

Kind = Literal["counter", "gauge", "histogram", "summary"]
Scope = Literal["process", "ledger"]


@dataclass(frozen=True, slots=True)
class Spec:
    """One metric. ``process``: each worker tells its own; ``ledger``: all tell the same, read from Redis."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    scope: Scope = "process"


def _ledger(name: str, kind: Kind, text: str, *labels: str) -> Spec:
    return Spec(name, kind, text, labels, "ledger")


_ALL = (
    Spec(
        "signals_build_info", "gauge", "1; what this worker is made of.",
        ("version", "python", "celery", "redis_py"),
    ),
    Spec(
        "signals_outcomes_total", "counter",
        "Signals whose end this worker wrote down, by how. Senders and people drop signals, too.",
        ("outcome", "action", "class"),
    ),
    Spec(
        "signals_latency_seconds", "histogram",
        "Time from a signal's due time (admission plus delay) to its outcome.", ("outcome",),
    ),
    Spec(
        "signals_lateness_seconds", "histogram",
        "Time from a signal's due time to the start of its first POST.", ("delayed",),
    ),
    Spec(
        "signals_post_duration_seconds", "histogram", "Time of one POST, by what it told.", ("verdict",)
    ),
    Spec("signals_retries_total", "counter", "Attempts that are made again.", ("class",)),
    Spec("signals_connections_total", "counter", "Connections used for POSTs, new or kept alive.", ("kind",)),
    Spec(
        "signals_ring_wait_seconds", "histogram",
        "Time from a lane's (latest) ring to its being taken by this worker.",
    ),
    Spec("signals_lanes_in_flight", "gauge", "Lanes this process holds."),
    Spec("signals_threads", "gauge", "Threads; of kind posting, as many lanes can be in flight.", ("kind",)),
    Spec("signals_redis_call_seconds", "histogram", "Time of one call to Redis, by script.", ("call",)),
    Spec("signals_redis_errors_total", "counter", "Calls to Redis that were not answered well.", ("call",)),
    Spec("signals_leases_expired_total", "counter", "Leases of workers that went silent."),
    Spec("signals_rings_lost_total", "counter", "Rings that nobody answered and the sweep repeated."),
    Spec("signals_trouble_total", "counter", "Failures that are tried again by themselves.", ("where",)),
    Spec(
        "signals_connector_outcomes_total", "counter",
        "Signals that ended, by connector; other: all that are not among the busiest.",
        ("connector", "outcome"),
    ),
    Spec(
        "signals_connector_latency_seconds", "summary",
        "Time from due time to outcome, by connector; other: all that are not among the busiest.",
        ("connector",),
    ),
    Spec(
        "signals_clock_skew_seconds", "gauge",
        "Clock of Redis minus clock of this machine; absent while Redis is away.",
    ),
    Spec(
        "signals_config_failing", "gauge",
        "1 while a changed file cannot be used and its former content stays in force.", ("file",),
    ),
    Spec(
        "signals_config_changes_total", "counter", "Changed files, taken over or refused.", ("file", "result")
    ),
    _ledger("signals_redis_up", "gauge", "1 if Redis answered this scrape in time, else 0."),
    _ledger("signals_redis_memory_bytes", "gauge", "Memory that Redis uses."),
    _ledger("signals_redis_memory_limit_bytes", "gauge", "Memory at which Redis refuses signals; 0: none."),
    _ledger("signals_redis_aof_enabled", "gauge", "1 if Redis keeps an append-only file."),
    _ledger("signals_redis_evicting", "gauge", "1 if Redis may evict signals: maxmemory-policy is wrong."),
    _ledger(
        "signals_redis_refusing", "gauge",
        "1 if Redis takes no signals: it is full, or cannot write its append-only file.",
    ),
    _ledger("signals_admitted_total", "counter", "Signals taken in."),
    _ledger("signals_duplicates_total", "counter", "Signals refused because they were known already."),
    _ledger(
        "signals_conflicts_total", "counter", "Signals refused because their id is that of a different order."
    ),
    _ledger("signals_full_total", "counter", "Signals refused because too many of their connector wait."),
    _ledger(
        "signals_ended_total", "counter",
        "Signals that ended, whoever wrote it down; once more if a person or a late answer decides a dead"
        " letter.",
        "outcome",
    ),
    _ledger("signals_throttled_total", "counter", "Times that a lane had to wait for a rate limit."),
    _ledger("signals_waiting", "gauge", "Signals that are due and have no outcome, in flight included."),
    _ledger("signals_delayed", "gauge", "Signals that are not due yet."),
    _ledger(
        "signals_lanes", "gauge",
        "Lanes with work: leased by a worker, rung, halted by a pause or an open circuit, or waiting for a"
        " retry or their turn under a rate limit.", "state",
    ),
    _ledger("signals_lanes_working", "gauge", "Lanes with work, whatever their state."),
    _ledger("signals_oldest_due_seconds", "gauge", "Age of what has been due the longest; 0: nothing waits."),
    _ledger(
        "signals_oldest_free_due_seconds", "gauge",
        "The same of lanes that no pause and no open circuit holds back, as far as they are among the hundred"
        " that have waited the longest.",
    ),
    _ledger("signals_oldest_ring_seconds", "gauge", "Age of the oldest ring that no worker has answered."),
    _ledger("signals_ring_queue", "gauge", "Rings in the queue."),
    _ledger("signals_dead_letters", "gauge", "Dead letters, by reason.", "reason"),
    _ledger("signals_dead_exits", "gauge", "Those of the dead letters that are no entries.", "reason"),
    _ledger(
        "signals_oldest_unknown_seconds", "gauge",
        "For how long the first dead letter of unknown fate has waited for a person; 0: there is none.",
    ),
    _ledger(
        "signals_paused", "gauge",
        "1 if all signals or all entries are paused; connectors: pauses of single connectors.", "scope",
    ),
    _ledger("signals_circuit_open", "gauge", "1 while an endpoint counts as out of order.", "endpoint"),
    _ledger("signals_circuits_open", "gauge", "Endpoints that count as out of order."),
    _ledger("signals_workers", "gauge", "Workers that have swept lately."),
)  # fmt: skip

CATALOGUE = {spec.name: spec for spec in _ALL}


def counter(name: str, registry: CollectorRegistry) -> Counter:
    spec = _of(name, "counter")
    return Counter(spec.name, spec.help, spec.labels, registry=registry)


def gauge(name: str, registry: CollectorRegistry) -> Gauge:
    spec = _of(name, "gauge")
    return Gauge(spec.name, spec.help, spec.labels, registry=registry)


def histogram(name: str, registry: CollectorRegistry) -> Histogram:
    spec = _of(name, "histogram")
    return Histogram(spec.name, spec.help, spec.labels, buckets=BUCKETS, registry=registry)


def counters(name: str) -> CounterMetricFamily:
    """An empty family, to be filled at a scrape."""
    spec = _of(name, "counter")
    return CounterMetricFamily(spec.name, spec.help, labels=spec.labels)


def gauges(name: str) -> GaugeMetricFamily:
    """An empty family, to be filled at a scrape."""
    spec = _of(name, "gauge")
    return GaugeMetricFamily(spec.name, spec.help, labels=spec.labels)


def summaries(name: str) -> SummaryMetricFamily:
    """An empty family, to be filled at a scrape."""
    spec = _of(name, "summary")
    return SummaryMetricFamily(spec.name, spec.help, labels=spec.labels)


def label(text: str) -> str:
    """A foreign text as a label: what cannot be encoded is escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def known(text: str, words: Iterable[str]) -> str:
    """The text if it is one of these words, else ``other``: whoever writes to Redis makes no labels."""
    return text if text in words else "other"


def _of(name: str, kind: Kind) -> Spec:
    spec = CATALOGUE[name]
    if spec.kind != kind:
        raise TypeError(f"{name} is a {spec.kind}")
    return spec
