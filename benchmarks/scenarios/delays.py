"""Many signals that wait for their time: what they weigh, and how late those start that fall due."""

from __future__ import annotations

import sys
import time

from benchmarks.contenders.cast import settings, start_ours
from benchmarks.samples import OURS, Samples, percentile
from benchmarks.signals import fan_out, spread
from benchmarks.stage import Stage, family
from producers import SignalProducer

WORKER_MB, REDIS_BYTES = "worker grows MB", "Redis bytes/signal"
EARLY = "early"
FAR_OFF = 80_000
"""Seconds; these do not fall due while we look."""
PER_SECOND = 500
LEAD = 4.0
"""Seconds from sending to the first that falls due, so that all are sent by then."""
ACCOUNTS = 10_000


def scenario(waiting: int) -> str:
    return f"{waiting:,} delayed"


def delays(stage: Stage, samples: Samples, waiting: int, seconds: int) -> None:
    name = scenario(waiting)
    with start_ours(stage) as worker, SignalProducer(settings=settings(stage)) as producer:
        producer.send(fan_out(-1))
        stage.arrived(1)
        time.sleep(2)
        memory, held = _unshared_mb(worker.pid), _server_bytes(stage)
        for start in range(0, waiting, 10_000):
            numbers = range(start, min(waiting, start + 10_000))
            producer.send([{**spread(n, ACCOUNTS), "delaySeconds": FAR_OFF} for n in numbers])
        time.sleep(3)
        samples.put(name, OURS, WORKER_MB, _unshared_mb(worker.pid) - memory)
        samples.put(name, OURS, REDIS_BYTES, (_server_bytes(stage) - held) / waiting)
        late = _fall_due(stage, producer, seconds * PER_SECOND)
    stage.clean()
    marks = (percentile(late, mark) * 1000 for mark in (0.5, 0.99, 1.0))
    samples.add(name, OURS, **dict(zip(("p50", "p99", "worst"), marks, strict=True)))
    samples.put(name, OURS, EARLY, sum(one < 0 for one in late))


def _fall_due(stage: Stage, producer: SignalProducer, count: int) -> list[float]:
    """Seconds each was late: from its sending plus its delay to its arrival at the sink."""
    due: dict[str, float] = {}
    for start in range(0, count, 500):
        batch = {}
        now = time.time()
        for number in range(start, min(count, start + 500)):
            name, delay = f"account {number}/due-{number}", round(LEAD + number / PER_SECOND, 3)
            due[name] = now + delay
            batch[name] = {**fan_out(number), "clientOrderId": f"due-{number}", "delaySeconds": delay}
        producer.send(list(batch.values()))
    stage.arrived(1 + count, pause=0.2)
    arrivals = stage.arrivals()
    if not due.keys() <= arrivals.keys():
        sys.exit("not all delayed signals arrived")
    stage.require_each_once("delayed", 1 + count)
    return [arrivals[name] - at for name, at in due.items()]


def _unshared_mb(pid: int) -> float:
    return sum(float(one.memory_full_info().uss) for one in family(pid)) / 1e6


def _server_bytes(stage: Stage) -> float:
    return float(stage.redis.info("memory")["used_memory"])
