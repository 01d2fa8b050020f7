"""What one signal costs when there are many: to many accounts, to few, and to a slow endpoint."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

from benchmarks.contenders.cast import Contender, everybody, starting
from benchmarks.samples import CEILING, DRAMATIQ, NAIVE, OURS, POST, RQ, SESSION, Samples
from benchmarks.signals import Make, fan_out, streams
from benchmarks.stage import Cost, Meter, Stage, bind, halted

FAN_OUT, STREAMS, SLOW = "fan-out", "streams", "slow endpoint"
THREADS_USED, CORE_USED = "share of threads/latency", "share of a core"
SINK = "sink CPU µs/signal"
QUEUED = (CEILING, NAIVE, DRAMATIQ, RQ, OURS)
"""Those for whom it may matter how signals are spread over accounts, and the ceiling beside them."""
WARM_UP = 200
SETTLING = 0.3
"""Seconds given to a worker to write its last outcomes down, which are part of its work."""


def fan(stage: Stage, samples: Samples, count: int) -> None:
    _compete(stage, samples, FAN_OUT, fan_out, count, (POST, SESSION, *QUEUED))


def stream(stage: Stage, samples: Samples, count: int, only: Collection[str] = QUEUED) -> None:
    _compete(stage, samples, STREAMS, streams, count, only)


def slow(
    stage: Stage, samples: Samples, count: int, threads: Sequence[int] = (128, 256, 512), delay: float = 0.2
) -> None:
    """An endpoint that takes its time: no more can be had than the threads at once, and than a core gives."""
    most = max(threads)
    plays = [(OURS, number, count * number // most) for number in threads]
    for who, number, signals in (*plays, (DRAMATIQ, most, count // 4)):
        contender = next(one for one in everybody() if one.name == who)
        rival = Contender(who, starting(who, threads=number), contender.send)
        stage.slow(delay)
        # Warm, so that all connections are open.
        cost = run(stage, rival, fan_out, signals, warm=2 * number)
        name = with_threads(number) if who == OURS else who
        samples.add(SLOW, name, cpu=cost.cpu, rate=cost.rate)
        # All that the threads can do in that time, but for the first and last turn of each.
        samples.put(SLOW, name, THREADS_USED, cost.rate / (number / delay))
        samples.put(SLOW, name, CORE_USED, cost.worker / cost.seconds)


def with_threads(number: int) -> str:
    return f"{number} threads"


def _compete(
    stage: Stage, samples: Samples, scenario: str, make: Make, count: int, only: Collection[str]
) -> None:
    for contender in (one for one in everybody() if one.name in only):
        cost = run(stage, contender, make, max(100, round(count * contender.share)))
        samples.add(scenario, contender.name, cpu=cost.cpu, server=cost.server_us, rate=cost.rate)
        samples.put(scenario, contender.name, SINK, cost.sink_us)


def run(stage: Stage, contender: Contender, make: Make, count: int, warm: int = WARM_UP) -> Cost:
    """One worker from cold: warmed up with a few signals, then measured over ``count``."""
    warm = min(warm, count // 5)
    with contender.start(stage) as worker:
        contender.send(stage, worker, make, 0, warm)
        stage.arrived(warm)
        time.sleep(SETTLING)
        if stage.one_core:
            bind(worker.pid, 0)
        with halted(worker.pid):
            contender.send(stage, worker, make, warm, count)
            meter = Meter(stage, worker.pid)
        stage.arrived(warm + count)
        time.sleep(SETTLING)
        cost = meter.cost(count, stage.last_arrival())
    stage.require_each_once(contender.name, warm + count)
    stage.clean()
    return cost
