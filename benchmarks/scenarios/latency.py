"""How long a signal takes from being sent to its arrival: alone, and among as many as naive can bear."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from benchmarks.contenders.cast import settings, start_naive, start_ours
from benchmarks.samples import NAIVE, OURS, Samples, percentile
from benchmarks.signals import order, spread
from benchmarks.stage import Stage
from demo.stack import eventually
from producers import SignalProducer

IDLE, HALF, ISOLATION = "idle latency", "half of naive's capacity", "isolation"
CALM, HANGING = "undisturbed", "one hangs"
ACCOUNTS, OTHERS = 1000, 99
TROUBLED = "account that hangs"
WARM_UP = 20
DEADLINE = 5.0
Send = Callable[[dict[str, str]], object]


def idle(stage: Stage, samples: Samples, count: int) -> None:
    """One signal at a time, by turns to both workers, of which the other has nothing to do."""
    waits: dict[str, list[float]] = {NAIVE: [], OURS: []}
    with ExitStack() as stack:
        stack.enter_context(start_ours(stage))
        stack.enter_context(start_naive(stage))
        senders = _senders(stage, stack)
        for number in range(-WARM_UP, count):
            for name, send in senders.items():
                message = order(f"{name} {number}", "alone")
                before, posts = time.time(), stage.posts()
                send(message)
                stage.arrived(posts + 1, pause=0.001)
                if number >= 0:
                    waits[name].append(stage.last_arrival() - before)
    stage.require_each_once(IDLE, 2 * (WARM_UP + count))
    stage.clean()
    _note(samples, IDLE, waits)


def half(stage: Stage, samples: Samples, rate: float, seconds: float) -> None:
    """``rate`` signals a second to 1,000 accounts, evenly, first by one and then by the other."""
    waits: dict[str, list[float]] = {}
    for name, start in {NAIVE: start_naive, OURS: start_ours}.items():
        with ExitStack() as stack:
            stack.enter_context(start(stage))
            send = _senders(stage, stack)[name]
            send(order("account warm", "warm"))
            stage.arrived(1)
            messages = [spread(number, ACCOUNTS) for number in range(int(rate * seconds))]
            waits[name] = _paced(stage, send, messages, 1 / rate, already=1)
        stage.clean()
    _note(samples, HALF, waits)


def isolation(stage: Stage, samples: Samples, count: int, pace: float = 0.01) -> None:
    """99 accounts undisturbed, and while the endpoint does not answer a hundredth."""
    waits: dict[str, list[float]] = {}
    for name in (CALM, HANGING):
        with ExitStack() as stack:
            stack.enter_context(start_ours(stage, deadline=DEADLINE))
            send = _senders(stage, stack)[OURS]
            hanging = 0
            if name == HANGING:
                stage.slow(hang=TROUBLED)
                hanging = int(count * pace / DEADLINE) + 2
                for number in range(hanging):
                    send(order(TROUBLED, f"hangs {number}"))
                stage.arrived(1)
            messages = [order(f"account {number % OTHERS}", f"{name} {number}") for number in range(count)]
            waits[name] = _paced(stage, send, messages, pace)
            stage.arrived(count + hanging, pause=0.2)
        stage.clean()
    _note(samples, ISOLATION, waits)


def _senders(stage: Stage, stack: ExitStack) -> dict[str, Send]:
    from benchmarks.contenders import naive

    producer = stack.enter_context(SignalProducer(settings=settings(stage)))
    return {NAIVE: naive.post.delay, OURS: producer.send}


def _paced(
    stage: Stage, send: Send, messages: Sequence[Mapping[str, str]], pace: float, already: int = 0
) -> list[float]:
    """Send at an even pace; the seconds that each took to arrive."""
    sent: dict[str, float] = {}
    begin = time.time()
    for number, message in enumerate(messages):
        time.sleep(max(0.0, begin + number * pace - time.time()))
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
