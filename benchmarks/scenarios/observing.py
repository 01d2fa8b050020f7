"""What metrics cost: all that a worker counts and times for a signal that is accepted at the first POST."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry

from benchmarks.samples import OURS, Samples
from benchmarks.stage import Stage
from worker.events import Observer
from worker.metrics import Metrics, connector_metrics
from worker.records import Ended, Head, Outcome
from worker.verdict import Attempt, Verdict

OBSERVING, COST = "metrics", "metrics CPU µs/signal"
SIGNALS_A_CALL = 8
CONNECTORS = 200
"""More than have series of their own, so that others are reckoned with, too."""


def observe(stage: Stage, samples: Samples, count: int) -> None:
    """As many signals as ``count``, of one thread, in calls to Redis as large as they are in a fan-out."""
    del stage
    metrics = Metrics(CollectorRegistry(), in_flight=lambda: 0.0, threads=1)
    per_connector = connector_metrics("top:50")
    assert per_connector is not None
    now_ms = round(time.time() * 1000)
    ends = [_ended(f"acct-{number}", now_ms) for number in range(CONNECTORS)]
    head, attempt = _head(now_ms), Attempt(Verdict.ACCEPTED, "200", 0.004, status=200, reused=True)
    observers: tuple[Observer, ...] = (metrics, per_connector)
    began = time.thread_time()
    for number in range(count):
        if number % SIGNALS_A_CALL == 0:
            metrics.called("checkout", 0.001, True)
            metrics.called("settle", 0.001, True)
        for observer in observers:
            observer.taken(waited=0.004)
            observer.attempted(head, attempt, late=0.005)
            observer.ended(ends[number % CONNECTORS])
    samples.put(OBSERVING, OURS, COST, (time.thread_time() - began) / count * 1e6)


def _ended(lane: str, now_ms: int) -> Ended:
    return Ended(
        id="0b5f3a9e-7d0c-4f0e-9a55-3c1d1f6f0f10",
        lane=lane,
        action="openLong",
        action_class="entry",
        outcome=Outcome.ACCEPTED,
        why="200",
        attempts=1,
        admitted_ms=now_ms - 20,
        due_ms=now_ms - 20,
        ended_ms=now_ms,
    )


def _head(now_ms: int) -> Head:
    return Head(
        lane="acct",
        id="0b5f3a9e-7d0c-4f0e-9a55-3c1d1f6f0f10",
        token="token",
        body="{}",
        action="openLong",
        action_class="entry",
        attempt=1,
        unknowns=0,
        admitted_ms=now_ms - 20,
        due_ms=now_ms - 20,
        expires_ms=None,
        orphan=False,
        taken_ms=None,
    )
