"""Whether size costs: a long backlog, many lanes, a second worker; and what a worker takes at rest."""

from __future__ import annotations

import time
from contextlib import ExitStack

import psutil

from benchmarks.contenders.cast import PREFIX, settings, start_ours, start_watched
from benchmarks.samples import OURS, Samples
from benchmarks.scenarios.throughput import SETTLING, WARM_UP
from benchmarks.signals import fan_out, spread
from benchmarks.stage import PATIENCE, Meter, Stage, bind, halted
from demo.stack import eventually, fetch
from producers import SignalProducer
from worker.lanes import Lanes
from worker.lanes.redis import connect

BACKLOG, LANES, PAIR, RESTING = "backlog", "many lanes", "two workers", "at rest"
SMALL, LARGE = "small", "large"
DEPTH = 10
"""Signals per account, in a small backlog as in a large one."""
EMPTY, HELD, SHARE = "no lanes", "one signal each, held", "share of a core"
SCRAPE, PAGE = "scrape ms", "page kB"
SCRAPES = 20
ONE, TWO = "one worker, one core", "two workers, two cores"
USS, RSS, READY = "unshared MB", "resident MB", "start to ready s"


def backlog(stage: Stage, samples: Samples, large: int, small: int = 1000, measured: int = 10_000) -> None:
    """CPU per signal of the first from a large backlog, and of as many that come in small ones."""
    with start_ours(stage) as worker, SignalProducer(settings=settings(stage)) as producer:
        _fill(producer, 0, small)
        stage.arrived(small)
        for name, size, times in ((SMALL, small, measured // small), (LARGE, large, 1)):
            costs = []
            for _ in range(times):
                first = stage.posts()
                with halted(worker.pid):
                    _fill(producer, first, size)
                    meter = Meter(stage, worker.pid)
                stage.arrived(first + min(size, measured))
                costs.append(meter.cost(stage.posts() - first))
            signals = sum(one.signals for one in costs)
            cpu, server = sum(one.worker for one in costs), sum(one.server for one in costs)
            samples.add(BACKLOG, name, cpu=cpu / signals * 1e6, server=server / signals * 1e6)
        stage.redis.flushall()  # what is left shall not hold up the end
    stage.clean()


def _fill(producer: SignalProducer, first: int, size: int) -> None:
    accounts = size // DEPTH
    for start in range(0, size, 10_000):
        numbers = range(first + start, first + min(size, start + 10_000))
        producer.send([spread(number, accounts) for number in numbers])


def many_lanes(stage: Stage, samples: Samples, lanes: int, seconds: float = 10.0) -> None:
    """What lanes cost that are held back, by themselves and in a scrape: each has one signal, and a pause
    covers them all."""
    process, address = start_watched(stage)
    with (
        process as worker,
        SignalProducer(settings=settings(stage)) as producer,
        connect(stage.server.url) as client,
    ):
        queue = Lanes(client, prefix=PREFIX, timing=settings(stage).timing())
        queue.pause(["all"], label="all", by="benchmark")
        for name, count in ((EMPTY, 0), (HELD, lanes)):
            for start in range(0, count, 10_000):
                producer.send([fan_out(n) for n in range(start, min(count, start + 10_000))])
            _until_held(stage, count)
            time.sleep(3)
            meter = Meter(stage, worker.pid)
            time.sleep(seconds)
            cost = meter.cost(1)
            samples.put(LANES, name, SHARE, (cost.worker + cost.server) / seconds)
            _scrape(samples, name, address)
        stage.redis.flushall()
    stage.clean()


def _scrape(samples: Samples, name: str, address: str) -> None:
    for _ in range(SCRAPES):
        began = time.perf_counter()
        _, page = fetch(f"{address}/metrics")
        samples.put(LANES, name, SCRAPE, (time.perf_counter() - began) * 1000)
        samples.put(LANES, name, PAGE, len(page) / 1000)


def _until_held(stage: Stage, count: int) -> None:
    eventually(
        lambda: int(stage.redis.zcard(f"{PREFIX}halted")) >= count,
        within=PATIENCE,
        what=f"{count} lanes are held",
        pause=0.2,
    )


def pair(stage: Stage, samples: Samples, count: int) -> None:
    """Workers bound to a core each; server, sink and sender take what is left."""
    for name, cores in ((ONE, (0,)), (TWO, (0, 1))):
        with ExitStack() as stack, SignalProducer(settings=settings(stage)) as producer:
            workers = [stack.enter_context(start_ours(stage)) for _ in cores]
            for worker, core in zip(workers, cores, strict=True):
                bind(worker.pid, core)
            producer.send([fan_out(number) for number in range(WARM_UP)])
            stage.arrived(WARM_UP)
            with ExitStack() as pause:
                for worker in workers:
                    pause.enter_context(halted(worker.pid))
                producer.send([fan_out(number) for number in range(WARM_UP, WARM_UP + count)])
                meter = Meter(stage, *(worker.pid for worker in workers))
            stage.arrived(WARM_UP + count)
            time.sleep(SETTLING)
            cost = meter.cost(count, stage.last_arrival())
            samples.add(PAIR, name, cpu=cost.cpu, rate=cost.rate)
        stage.require_each_once(name, WARM_UP + count)
        stage.clean()


def at_rest(stage: Stage, samples: Samples) -> None:
    """As people start it: with the default settings."""
    began = time.perf_counter()
    with start_ours(stage, threads=64) as worker:
        samples.put(RESTING, OURS, READY, time.perf_counter() - began)
        time.sleep(3)
        memory = psutil.Process(worker.pid).memory_full_info()
        samples.put(RESTING, OURS, USS, memory.uss / 1e6)
        samples.put(RESTING, OURS, RSS, memory.rss / 1e6)
    stage.clean()
