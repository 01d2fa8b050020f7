"""What the worker itself does: counted and timed as an observer."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import count, product
from typing import TypeVar

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
_QUICK = 0.1
"""Seconds; what takes less happens often, and of that one in ``_ONE_IN`` is named as an example."""
_ONE_IN = 16


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


M = TypeVar("M", Counter, Histogram)


class Metrics(Observer):
    """Counts and times what the worker does."""

    def __init__(self, registry: CollectorRegistry, *, in_flight: Callable[[], float], threads: int) -> None:
        """``in_flight`` tells how many lanes this process holds, whenever it is scraped; ``threads``: how
        many it can."""
        self._outcomes = _series(
            catalogue.counter("signals_outcomes_total", registry),
            ((outcome, *kind) for outcome, kind in product(Outcome, _KINDS)),
        )
        self._latency = _series(catalogue.histogram("signals_latency_seconds", registry), product(Outcome))
        self._posts = _series(
            catalogue.histogram("signals_post_duration_seconds", registry), product(Verdict)
        )
        self._lateness = _series(
            catalogue.histogram("signals_lateness_seconds", registry), product(("yes", "no"))
        )
        self._retries = _series(catalogue.counter("signals_retries_total", registry), product(_CLASSES))
        self._connections = _series(
            catalogue.counter("signals_connections_total", registry), product(("new", "kept"))
        )
        self._redis_calls = _series(catalogue.histogram("signals_redis_call_seconds", registry))
        self._redis_errors = _series(
            catalogue.counter("signals_redis_errors_total", registry),
            product(("checkout", "settle", "defer", "wake")),
        )
        self._trouble = _series(
            catalogue.counter("signals_trouble_total", registry),
            product(("checkout", "post", "settle", "defer", "commit")),
        )
        self._ring_wait = catalogue.histogram("signals_ring_wait_seconds", registry)
        self._leases = catalogue.counter("signals_leases_expired_total", registry)
        self._rings = catalogue.counter("signals_rings_lost_total", registry)
        self._quick = count()
        catalogue.gauge("signals_lanes_in_flight", registry).set_function(in_flight)
        catalogue.gauge("signals_threads", registry).labels("posting").set(threads)

    def taken(self, *, waited: float) -> None:
        self._ring_wait.observe(waited)

    def attempted(self, head: Head, attempt: Attempt, *, late: float) -> None:
        self._posts(str(attempt.verdict)).observe(attempt.seconds, self._exemplar(head.id, attempt.seconds))
        self._connections("kept" if attempt.reused else "new").inc()
        if head.attempt == 1:
            delayed = "yes" if head.due_ms > head.admitted_ms else "no"
            self._lateness(delayed).observe(late, self._exemplar(head.id, late))

    def retried(self, head: Head, why: str, delay: float) -> None:  # noqa: ARG002 - texts make no labels
        self._retries(catalogue.known(head.action_class, _CLASSES)).inc()

    def ended(self, ended: Ended) -> None:
        action = catalogue.known(ended.action, _ACTIONS)
        action_class = catalogue.known(ended.action_class, _CLASSES)
        self._outcomes(ended.outcome.value, action, action_class).inc()
        seconds = seconds_to_outcome(ended)
        self._latency(ended.outcome.value).observe(seconds, self._exemplar(ended.id, seconds))

    def swept(self, *, leases_expired: int, rings_lost: int) -> None:
        self._leases.inc(leases_expired)
        self._rings.inc(rings_lost)

    def trouble(self, what: str, error: Exception) -> None:  # noqa: ARG002 - texts make no labels
        self._trouble(what).inc()

    def called(self, call: str, seconds: float, answered: bool) -> None:
        """A script was run in Redis, or was not."""
        self._redis_calls(call).observe(seconds)
        if not answered:
            self._redis_errors(call).inc()

    def _exemplar(self, signal_id: str, seconds: float) -> dict[str, str] | None:
        """Which signal it was, for whoever clicks on a bucket: each slow one, and some of the quick.

        None for an id that somebody made up, too.
        """
        if seconds < _QUICK and next(self._quick) % _ONE_IN:
            return None
        return {"signal_id": signal_id} if _PLAIN_ID.fullmatch(signal_id) else None


def _series(metric: M, begun: Iterable[tuple[str, ...]] = ()) -> Callable[..., M]:
    """A metric's series by their labels: the client looks them up under a lock, for half of what it costs to
    count.

    ``begun``: labels of those that are known beforehand; no rate sees the first event of a series that begins
    with it.
    """
    for labels in begun:
        metric.labels(*map(str, labels))
    return cache(metric.labels)


def seconds_to_outcome(ended: Ended) -> float:
    """From due time to outcome; 0 for what was dropped before it was due."""
    return max(0, ended.ended_ms - ended.due_ms) / 1000
