"""What we want to reach, and whether a run did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.samples import (
    CEILING,
    CPU,
    DRAMATIQ,
    NAIVE,
    OURS,
    P50,
    P99,
    RATE,
    RQ,
    SENDER,
    SERVER,
    SESSION,
    Samples,
    Spread,
)  # fmt: skip
from benchmarks.scenarios.delays import EARLY, REDIS_BYTES, WORKER_MB, scenario
from benchmarks.scenarios.latency import CALM, HALF, HALF_AT_RANDOM, HANGING, IDLE, ISOLATION
from benchmarks.scenarios.observing import COST, OBSERVING
from benchmarks.scenarios.scale import (
    BACKLOG,
    EMPTY,
    HELD,
    LANES,
    LARGE,
    ONE,
    PAGE,
    PAIR,
    READY,
    RESTING,
    SCRAPE,
    SHARE,
    SMALL,
    TWO,
    USS,
)  # fmt: skip
from benchmarks.scenarios.sending import BATCHED, RQ_BATCHED, SENDING, SINGLY
from benchmarks.scenarios.throughput import (
    CORE_USED,
    FAN_OUT,
    SLOW,
    STREAMS,
    THREADS_USED,
    with_threads,
)  # fmt: skip
from benchmarks.scenarios.yardstick import CAPACITY, SINK_ALONE, YARDSTICK


@dataclass(frozen=True)
class Goal:
    text: str
    aim: float
    at_least: bool
    seen: Callable[[Samples], list[float]]
    """One number per round; none if that was not measured."""


@dataclass(frozen=True)
class Verdict:
    goal: Goal
    seen: Spread

    @property
    def met(self) -> bool:
        median, aim = self.seen.median, self.goal.aim
        return median >= aim if self.goal.at_least else median <= aim


def verdicts(samples: Samples) -> Iterator[Verdict]:
    for goal in GOALS:
        if seen := goal.seen(samples):
            yield Verdict(goal, Spread.of(seen))


def _least(text: str, aim: float, seen: Callable[[Samples], list[float]]) -> Goal:
    return Goal(text, aim, True, seen)


def _most(text: str, aim: float, seen: Callable[[Samples], list[float]]) -> Goal:
    return Goal(text, aim, False, seen)


def _ratio(scene: str, metric: str, above: str, below: str) -> Callable[[Samples], list[float]]:
    return lambda samples: samples.ratios(scene, metric, above, below)


def _value(scene: str, contender: str, metric: str) -> Callable[[Samples], list[float]]:
    return lambda samples: samples.of(scene, contender, metric)


def _sweep(samples: Samples) -> list[float]:
    pairs = zip(samples.of(LANES, HELD, SHARE), samples.of(LANES, EMPTY, SHARE), strict=True)
    return [held - empty for held, empty in pairs]


def _metrics(samples: Samples) -> list[float]:
    """What metrics take of the CPU that a worker takes for a signal in all."""
    pairs = zip(samples.of(OBSERVING, OURS, COST), samples.of(FAN_OUT, OURS, CPU), strict=False)
    return [metrics / whole for metrics, whole in pairs]


def _slow(threads: int) -> Callable[[Samples], list[float]]:
    """Of what the threads can do, until the core is full: then more of them are of no use."""

    def seen(samples: Samples) -> list[float]:
        name = with_threads(threads)
        return [*map(max, samples.of(SLOW, name, THREADS_USED), samples.of(SLOW, name, CORE_USED))]

    return seen


def _pair(samples: Samples) -> list[float]:
    """Two cores filled by two workers against one filled by one. By CPU, since server, sink and sender
    must have something of the same two cores."""
    return [2 * ratio for ratio in samples.ratios(PAIR, CPU, ONE, TWO)]


def _backlog(samples: Samples) -> list[float]:
    """By what worker and server need together, so that neither hides behind the other."""
    large, small = (
        map(sum, zip(samples.of(BACKLOG, size, CPU), samples.of(BACKLOG, size, SERVER), strict=True))
        for size in (LARGE, SMALL)
    )
    return [one / other for one, other in zip(large, small, strict=True)]


def _sink(samples: Samples) -> list[float]:
    """What the sink can take in a second of CPU by what the fastest contender can send in one of its own."""
    pairs = zip(samples.of(YARDSTICK, SINK_ALONE, CAPACITY), samples.of(FAN_OUT, CEILING, CPU), strict=False)
    return [capacity * cheapest / 1e6 for capacity, cheapest in pairs]


MILLION = scenario(1_000_000)
HUNDRED_THOUSAND = scenario(100_000)

# Signals per worker CPU second of ours by another's are the other's CPU per signal by ours.
GOALS = (
    _least("the sink: by the ceiling", 10, _sink),
    _least("fan-out: by naive Celery", 3, _ratio(FAN_OUT, CPU, NAIVE, OURS)),
    _least("fan-out: by Session.post", 1.3, _ratio(FAN_OUT, CPU, SESSION, OURS)),
    _least("fan-out: by Dramatiq", 1, _ratio(FAN_OUT, CPU, DRAMATIQ, OURS)),
    _least("fan-out: by RQ", 1, _ratio(FAN_OUT, CPU, RQ, OURS)),
    _least("fan-out: share of the ceiling", 0.6, _ratio(FAN_OUT, CPU, CEILING, OURS)),
    _least("streams: by naive Celery", 4, _ratio(STREAMS, CPU, NAIVE, OURS)),
    _least("streams: by Dramatiq", 1, _ratio(STREAMS, CPU, DRAMATIQ, OURS)),
    _least("streams: by RQ", 1, _ratio(STREAMS, CPU, RQ, OURS)),
    _least("streams: share of the ceiling", 0.75, _ratio(STREAMS, CPU, CEILING, OURS)),
    _least("publish batched: by send_task", 10, _ratio(SENDING, RATE, BATCHED, NAIVE)),
    _least("publish batched: signals/s", 20_000, _value(SENDING, BATCHED, RATE)),
    _least("publish one by one: by send_task", 1, _ratio(SENDING, RATE, SINGLY, NAIVE)),
    _least("publish one by one: by send_task, sender CPU", 1, _ratio(SENDING, SENDER, NAIVE, SINGLY)),
    _least("publish one by one: by Dramatiq", 1, _ratio(SENDING, RATE, SINGLY, DRAMATIQ)),
    _least("publish one by one: by RQ", 1, _ratio(SENDING, RATE, SINGLY, RQ)),
    _least("publish batched: by RQ", 1, _ratio(SENDING, RATE, BATCHED, RQ_BATCHED)),
    _most("idle latency: p50 by naive", 1, _ratio(IDLE, P50, OURS, NAIVE)),
    _most("idle latency: p99 by naive", 1, _ratio(IDLE, P99, OURS, NAIVE)),
    _most("idle latency: p50 by Dramatiq", 1, _ratio(IDLE, P50, OURS, DRAMATIQ)),
    _most("idle latency: p50 by RQ", 1, _ratio(IDLE, P50, OURS, RQ)),
    _most("half of naive's capacity: p99 by naive", 0.5, _ratio(HALF, P99, OURS, NAIVE)),
    _most("the same, at random: p99 by naive", 0.5, _ratio(HALF_AT_RANDOM, P99, OURS, NAIVE)),
    _most("the same: p99 by Dramatiq", 1, _ratio(HALF_AT_RANDOM, P99, OURS, DRAMATIQ)),
    _most("the same: p99 by RQ", 1, _ratio(HALF_AT_RANDOM, P99, OURS, RQ)),
    _least(
        "slow endpoint, 512 threads: signals/s by Dramatiq",
        1,
        _ratio(SLOW, RATE, with_threads(512), DRAMATIQ),
    ),
    _least("slow endpoint, 128 threads: share of threads/latency, or of a core", 0.9, _slow(128)),
    _least("slow endpoint, 256 threads: likewise", 0.9, _slow(256)),
    _least("slow endpoint, 512 threads: likewise", 0.9, _slow(512)),
    _most("100,000 delayed: p99 lateness, ms", 100, _value(HUNDRED_THOUSAND, OURS, P99)),
    _most("100,000 delayed: early", 0, _value(HUNDRED_THOUSAND, OURS, EARLY)),
    _most("1,000,000 delayed: worker grows, MB", 50, _value(MILLION, OURS, WORKER_MB)),
    _most("1,000,000 delayed: Redis bytes each", 1024, _value(MILLION, OURS, REDIS_BYTES)),
    _most("1,000,000 delayed: p99 lateness, ms", 100, _value(MILLION, OURS, P99)),
    _most("1,000,000 delayed: early", 0, _value(MILLION, OURS, EARLY)),
    _most("backlog 1,000,000 by 1,000: CPU", 1.15, _ratio(BACKLOG, CPU, LARGE, SMALL)),
    _most("backlog 1,000,000 by 1,000: CPU of worker and server", 1.15, _backlog),
    _most("100,000 lanes: sweep, share of a core", 0.01, _sweep),
    _most("100,000 lanes: scrape, ms", 100, _value(LANES, HELD, SCRAPE)),
    _most("100,000 lanes: page of metrics, kB", 100, _value(LANES, HELD, PAGE)),
    _most("metrics: share of a signal's CPU", 0.05, _metrics),
    _least("two workers by one: signals by worker CPU, on a core each", 1.7, _pair),
    _most("isolation: p99 by undisturbed", 2, _ratio(ISOLATION, P99, HANGING, CALM)),
    _most("at rest: unshared MB", 90, _value(RESTING, OURS, USS)),
    _most("at rest: start to ready, s", 1.5, _value(RESTING, OURS, READY)),
)
