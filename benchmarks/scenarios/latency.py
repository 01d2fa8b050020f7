"""How long a signal takes from being sent to its arrival: alone, and among as many as naive can bear."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import accumulate, count, repeat

from benchmarks.contenders.cast import Send, one_by_one, start_ours, starting
from benchmarks.samples import DRAMATIQ, NAIVE, OURS, RQ, Samples, percentile
from benchmarks.signals import order, spread
from benchmarks.stage import Stage
from demo.stack import eventually

IDLE, HALF, ISOLATION = "idle latency", "half of naive's capacity", "isolation"
HALF_AT_RANDOM = "half of naive's capacity, at random"
SEED = 7
"""The same moments for all."""
CALM, HANGING = "undisturbed", "one hangs"
ACCOUNTS, OTHERS = 1000, 99
TROUBLED = "account that hangs"
WARM_UP = 20
DEADLINE = 5.0


def idle(stage: Stage, samples: Samples, times: int) -> None:
    """One signal at a time, by turns to naive's worker and ours, of which the other has nothing to do; then,
    fewer, to the others, who look for work every now and then."""
    for names, share in (((NAIVE, OURS), 1.0), ((DRAMATIQ,), 0.1), ((RQ,), 0.5)):
        _alone(stage, samples, names, max(5, round(times * share)))


def _alone(stage: Stage, samples: Samples, names: Sequence[str], times: int) -> None:
    waits: dict[str, list[float]] = {name: [] for name in names}
    warm = min(WARM_UP, times)
    with ExitStack() as stack:
        senders = one_by_one(stage, stack)
        for name in reversed(names):
            stack.enter_context(starting(name)(stage))
        for number in range(-warm, times):
            for name in names:
                message = order(f"{name} {number}", "alone")
                before, posts = time.time(), stage.posts()
                senders[name](message)
                stage.arrived(posts + 1, pause=0.001)
                if number >= 0:
                    waits[name].append(stage.last_arrival() - before)
    stage.require_each_once(IDLE, len(names) * (warm + times))
    stage.clean()
    _note(samples, IDLE, waits)


def half(stage: Stage, samples: Samples, rate: float, seconds: float) -> None:
    """``rate`` signals a second to 1,000 accounts, first by one and then by the other: evenly, and at moments
    of senders who know nothing of each other, so that some come together."""
    for scenario, moments, names in (
        (HALF, _evenly, (NAIVE, OURS)),
        (HALF_AT_RANDOM, _at_random, (NAIVE, DRAMATIQ, RQ, OURS)),
    ):
        waits: dict[str, list[float]] = {}
        for name in names:
            with ExitStack() as stack:
                send = one_by_one(stage, stack)[name]
                stack.enter_context(starting(name)(stage))
                send(order("account warm", "warm"))
                stage.arrived(1)
                messages = [spread(number, ACCOUNTS) for number in range(int(rate * seconds))]
                waits[name] = _paced(stage, send, messages, moments(rate), already=1)
            stage.clean()
        _note(samples, scenario, waits)


def _evenly(rate: float) -> Iterator[float]:
    """Seconds from the beginning."""
    return (number / rate for number in count())


def _at_random(rate: float) -> Iterator[float]:
    chance = random.Random(SEED)
    return accumulate(chance.expovariate(rate) for _ in repeat(None))


def isolation(stage: Stage, samples: Samples, times: int, pace: float = 0.01) -> None:
    """99 accounts undisturbed, and while the endpoint does not answer a hundredth."""
    waits: dict[str, list[float]] = {}
    for name in (CALM, HANGING):
        with ExitStack() as stack:
            send = one_by_one(stage, stack)[OURS]
            stack.enter_context(start_ours(stage, deadline=DEADLINE))
            hanging = 0
            if name == HANGING:
                stage.slow(hang=TROUBLED)
                hanging = int(times * pace / DEADLINE) + 2
                for number in range(hanging):
                    send(order(TROUBLED, f"hangs {number}"))
                stage.arrived(1)
            messages = [order(f"account {number % OTHERS}", f"{name} {number}") for number in range(times)]
            waits[name] = _paced(stage, send, messages, _evenly(1 / pace))
            stage.arrived(times + hanging, pause=0.2)
        stage.clean()
    _note(samples, ISOLATION, waits)


def _paced(
    stage: Stage,
    send: Send,
    messages: Sequence[Mapping[str, str]],
    moments: Iterator[float],
    already: int = 0,
) -> list[float]:
    """Send each at its moment; the seconds that each took to arrive."""
    sent: dict[str, float] = {}
    begin = time.time()
    for message, moment in zip(messages, moments, strict=False):
        time.sleep(max(0.0, begin + moment - time.time()))
        sent["/".join((message["connectorName"], message["clientOrderId"]))] = time.time()
        send(dict(message))
    stage.arrived(len(messages) + already)

    def waits() -> list[float]:
        arrivals = stage.arrivals()
        return [arrivals[name] - at for name, at in sent.items()] if sent.keys() <= arrivals.keys() else []

    return eventually(waits, within=60, what="all of them arrive", pause=0.2)


def _note(samples: Samples, scenario: str, waits: Mapping[str, Sequence[float]]) -> None:
    for name, found in waits.items():
        p50, p99, worst = (percentile(found, mark) * 1000 for mark in (0.5, 0.99, 1.0))
        samples.add(scenario, name, p50=p50, p99=p99, worst=worst)
