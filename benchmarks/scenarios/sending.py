"""What it costs to send to as many accounts, in batches and one by one, beside Celery's send_task."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

from benchmarks.contenders.cast import Send, one_by_one, settings
from benchmarks.samples import DRAMATIQ, NAIVE, OURS, RQ, Samples
from benchmarks.signals import fan_out
from benchmarks.stage import Stage
from producers import SignalProducer

SENDING = "publish"
BATCHED, SINGLY, RQ_BATCHED = "batched", "one by one", "RQ, batched"
RQ_SHARE = 0.2
"""Of the signals, for one that would keep the others waiting."""


def send(stage: Stage, samples: Samples, count: int) -> None:
    """No worker runs: what was sent is only counted, and forgotten."""
    from benchmarks.contenders import rq_job  # reads where the server is when it is imported

    messages = [fan_out(number) for number in range(count)]
    few = messages[: round(count * RQ_SHARE)]
    with SignalProducer(settings=settings(stage)) as producer:
        producer.send([fan_out(-1)])  # connects, and has the scripts loaded
        _time(stage, samples, BATCHED, count, lambda: producer.send(messages))
        stage.clean()
    _time(stage, samples, RQ_BATCHED, len(few), lambda: rq_job.send(few, stage.server.url))
    stage.clean()
    for name, label in {OURS: SINGLY, NAIVE: NAIVE, DRAMATIQ: DRAMATIQ, RQ: RQ}.items():
        part = few if name == RQ else messages
        with ExitStack() as stack:
            act = one_by_one(stage, stack)[name]
            act(fan_out(-1))
            _time(stage, samples, label, len(part), partial(_each, act, part))
        stage.clean()


def _each(act: Send, messages: Sequence[dict[str, str]]) -> None:
    for one in messages:
        act(one)


def _time(stage: Stage, samples: Samples, name: str, count: int, act: Callable[[], object]) -> None:
    server, cpu, began = stage.server_cpu(), time.process_time(), time.perf_counter()
    act()
    seconds, used = time.perf_counter() - began, time.process_time() - cpu
    samples.add(
        SENDING,
        name,
        rate=count / seconds,
        sender=used / count * 1e6,
        server=(stage.server_cpu() - server) / count * 1e6,
    )
