"""What the worker itself does: counted and timed as an observer."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterable, Mapping
from itertools import product

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from worker.contract import Action
from worker.events import Observer
from worker.metrics import catalogue
from worker.policy import POSITION_SYNC, ActionClass, classes_of
from worker.records import Ended, Head, Outcome
from worker.verdict import Attempt, Verdict

_ACTIONS = frozenset({*map(str, Action), POSITION_SYNC})
_CLASSES = frozenset(map(str, ActionClass))
_KINDS = [(action, str(one)) for action in sorted(_ACTIONS) for one in classes_of(action)]
_PLAIN_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


def new_registry(build: Mapping[str, str]) -> CollectorRegistry:
    """A registry with what Python tells of the process. ``build``: labels of ``signals_build_info`` beside
    ``python``."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # doubles the series, and Prometheus drops them
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry)
    info = catalogue.gauge("signals_build_info", registry)
    info.labels(**build, python=platform.python_version()).set(1)
    return registry


class Metrics(Observer):
    """Counts and times what the worker does."""

    def __init__(self, registry: CollectorRegistry, *, in_flight: Callable[[], float], threads: int) -> None:
        """``in_flight`` tells how many lanes this process holds, whenever it is scraped; ``threads``: how
        many it can."""
        self._posts = catalogue.histogram("signals_post_duration_seconds", registry)
        self._lateness = catalogue.histogram("signals_lateness_seconds", registry)
        self._latency = catalogue.histogram("signals_latency_seconds", registry)
        self._outcomes = catalogue.counter("signals_outcomes_total", registry)
        self._retries = catalogue.counter("signals_retries_total", registry)
        self._connections = catalogue.counter("signals_connections_total", registry)
        self._ring_wait = catalogue.histogram("signals_ring_wait_seconds", registry)
        self._redis_calls = catalogue.histogram("signals_redis_call_seconds", registry)
        self._redis_errors = catalogue.counter("signals_redis_errors_total", registry)
        self._leases = catalogue.counter("signals_leases_expired_total", registry)
        self._rings = catalogue.counter("signals_rings_lost_total", registry)
        self._trouble = catalogue.counter("signals_trouble_total", registry)
        catalogue.gauge("signals_lanes_in_flight", registry).set_function(in_flight)
        catalogue.gauge("signals_threads", registry).labels("posting").set(threads)
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """Make every series that is bounded: no rate sees the first event of one that begins with it."""
        bounded: tuple[tuple[Counter | Histogram, Iterable[tuple[str, ...]]], ...] = (
            (self._outcomes, ((outcome, *kind) for outcome, kind in product(Outcome, _KINDS))),
            (self._latency, product(Outcome)),
            (self._posts, product(Verdict)),
            (self._lateness, product(("yes", "no"))),
            (self._retries, product(_CLASSES)),
            (self._connections, product(("new", "kept"))),
            (self._redis_errors, product(("checkout", "settle", "defer", "wake"))),
            (self._trouble, product(("checkout", "post", "settle", "defer", "commit"))),
        )
        for metric, series in bounded:
            for labels in series:
                metric.labels(*map(str, labels))

    def taken(self, *, waited: float) -> None:
        self._ring_wait.observe(waited)

    def attempted(self, head: Head, attempt: Attempt, *, late: float) -> None:
        exemplar = _exemplar(head.id)
        self._posts.labels(str(attempt.verdict)).observe(attempt.seconds, exemplar)
        self._connections.labels("kept" if attempt.reused else "new").inc()
        if head.attempt == 1:
            delayed = "yes" if head.due_ms > head.admitted_ms else "no"
            self._lateness.labels(delayed).observe(late, exemplar)

    def retried(self, head: Head, why: str, delay: float) -> None:  # noqa: ARG002 - texts make no labels
        self._retries.labels(catalogue.known(head.action_class, _CLASSES)).inc()

    def ended(self, ended: Ended) -> None:
        action = catalogue.known(ended.action, _ACTIONS)
        action_class = catalogue.known(ended.action_class, _CLASSES)
        self._outcomes.labels(ended.outcome.value, action, action_class).inc()
        self._latency.labels(ended.outcome.value).observe(seconds_to_outcome(ended), _exemplar(ended.id))

    def swept(self, *, leases_expired: int, rings_lost: int) -> None:
        self._leases.inc(leases_expired)
        self._rings.inc(rings_lost)

    def trouble(self, what: str, error: Exception) -> None:  # noqa: ARG002 - texts make no labels
        self._trouble.labels(what).inc()

    def called(self, call: str, seconds: float, answered: bool) -> None:
        """A script was run in Redis, or was not."""
        self._redis_calls.labels(call).observe(seconds)
        if not answered:
            self._redis_errors.labels(call).inc()


def seconds_to_outcome(ended: Ended) -> float:
    """From due time to outcome; 0 for what was dropped before it was due."""
    return max(0, ended.ended_ms - ended.due_ms) / 1000


def _exemplar(signal_id: str) -> dict[str, str] | None:
    """Which signal it was, for whoever clicks on a bucket; nothing for an id that somebody made up."""
    return {"signal_id": signal_id} if _PLAIN_ID.fullmatch(signal_id) else None
