"""What it costs to send to as many accounts, in batches and one by one, beside Celery's send_task."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.contenders.cast import settings
from benchmarks.samples import NAIVE, Samples
from benchmarks.signals import fan_out
from benchmarks.stage import Stage
from producers import SignalProducer

SENDING = "publish"
BATCHED, SINGLY = "batched", "one by one"


def send(stage: Stage, samples: Samples, count: int) -> None:
    """No worker runs: what was sent is only counted, and forgotten."""
    from benchmarks.contenders import naive

    messages = [fan_out(number) for number in range(count)]
    with SignalProducer(settings=settings(stage)) as producer:
        producer.send([fan_out(-1)])  # connects, and has the scripts loaded
        _time(stage, samples, BATCHED, count, lambda: producer.send(messages))
        stage.clean()
        _time(stage, samples, SINGLY, count, lambda: [producer.send(one) for one in messages])
        stage.clean()
    naive.app.send_task("naive.post", args=(fan_out(-1),))
    _time(
        stage,
        samples,
        NAIVE,
        count,
        lambda: [naive.app.send_task("naive.post", args=(one,)) for one in messages],
    )
    stage.clean()


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
