"""How each contender is started and given its work."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any, Self

import redis

from benchmarks.samples import CEILING, DRAMATIQ, NAIVE, OURS, POST, RQ, SESSION
from benchmarks.signals import Make
from benchmarks.stage import Running, Stage
from demo.stack import Process, start_worker
from producers import SignalProducer
from worker.settings import Settings

THREADS = 32
"""POSTs at the same time, for all who can."""
PREFIX = "bench:"
EXPIRY = 36_000
"""Seconds; a backlog must not become stale while it is measured."""


Send = Callable[[dict[str, str]], object]


@dataclass(frozen=True)
class Contender:
    name: str
    start: Callable[[Stage], Running]
    send: Callable[[Stage, Running, Make, int, int], None]
    """Queue the signals that ``Make`` makes of so many numbers, from the first one on."""
    share: float = 1.0
    """Of the signals that the others get, for one that would keep them waiting; costs are per signal."""


def settings(stage: Stage) -> Settings:
    return Settings(redis_url=stage.server.url, prefix=PREFIX, entry_expiry=EXPIRY)


def start_ours(stage: Stage, **more: object) -> Process:
    return start_watched(stage, **more)[0]


def start_watched(stage: Stage, **more: object) -> tuple[Process, str]:
    """Our worker, and the address of its metrics."""
    given = {"threads": THREADS, "entry_expiry": EXPIRY, "log_level": "warning", **more}
    return start_worker(stage.server.url, stage.webhook, stage.log(), prefix=PREFIX, **given)  # type: ignore[arg-type]


def start_naive(stage: Stage) -> Process:
    command = [
        *("celery", "-A", "benchmarks.contenders.naive", "worker", "-P", "threads", "-c", str(THREADS)),
        *("--without-gossip", "--without-mingle", "-l", "warning"),
    ]
    return Process([sys.executable, "-m", *command], stage.log(), {})


def one_by_one(stage: Stage, stack: ExitStack) -> dict[str, Send]:
    """How each is sent a single signal; what that needs is closed with ``stack``."""
    import rq

    from benchmarks.contenders import dramatiq_actor, job, naive

    producer = stack.enter_context(SignalProducer(settings=settings(stage)))
    client = stack.enter_context(redis.Redis.from_url(stage.server.url))
    queue = rq.Queue("bench", connection=client)
    return {
        NAIVE: naive.post.delay,
        DRAMATIQ: dramatiq_actor.post.send,
        RQ: lambda message: queue.enqueue(job.do, message, result_ttl=0),
        OURS: producer.send,
    }


def starting(name: str, **more: object) -> Callable[[Stage], Running]:
    """How a contender's worker is started; ``more``: number of ``threads``, for those that have them."""
    starts = {one.name: one.start for one in everybody()}
    return functools.partial(starts[name], **more)


def everybody() -> list[Contender]:
    """All contenders, ours last."""
    return [
        *(Contender(name, _script(kind), _tell) for name, kind in _SCRIPTS.items()),
        Contender(NAIVE, start_naive, _send_naive),
        Contender(DRAMATIQ, _start_dramatiq, _send_dramatiq),
        Contender(RQ, _start_rq, _send_rq, share=0.2),
        Contender(OURS, start_ours, _send_ours),
    ]


_SCRIPTS = {POST: "post", SESSION: "session", CEILING: "ceiling"}


class Script:
    """A bare script, that is told by its standard input what to post."""

    def __init__(self, kind: str, url: str) -> None:
        command = [sys.executable, "-m", "benchmarks.contenders.script", kind, url]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, first: int, count: int) -> None:
        told: IO[Any] | None = self._process.stdin
        print(first, count, file=told, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=10)


def _script(kind: str) -> Callable[[Stage], Running]:
    return lambda stage: Script(kind, stage.webhook)


def _tell(stage: Stage, worker: Running, make: Make, first: int, count: int) -> None:  # noqa: ARG001
    assert isinstance(worker, Script)
    worker.tell(first, count)


def _send_naive(stage: Stage, worker: Running, make: Make, first: int, count: int) -> None:  # noqa: ARG001
    from benchmarks.contenders import naive

    for number in range(first, first + count):
        naive.post.delay(make(number))


def _start_dramatiq(stage: Stage, threads: int = THREADS) -> Process:
    command = ["dramatiq", "benchmarks.contenders.dramatiq_actor", "--processes", "1", "--threads"]
    return Process([sys.executable, "-m", *command, str(threads)], stage.log(), {})


def _send_dramatiq(stage: Stage, worker: Running, make: Make, first: int, count: int) -> None:  # noqa: ARG001
    from benchmarks.contenders import dramatiq_actor

    for number in range(first, first + count):
        dramatiq_actor.post.send(make(number))


def _start_rq(stage: Stage) -> Process:
    command = ["rq.cli", "worker", "bench", "--url", stage.server.url, "-w", "rq.SimpleWorker"]
    return Process([sys.executable, "-m", *command, "-q", "--disable-job-desc-logging"], stage.log(), {})


def _send_rq(stage: Stage, worker: Running, make: Make, first: int, count: int) -> None:  # noqa: ARG001
    from benchmarks.contenders import rq_job

    rq_job.send([make(number) for number in range(first, first + count)], stage.server.url)


def _send_ours(stage: Stage, worker: Running, make: Make, first: int, count: int) -> None:  # noqa: ARG001
    with SignalProducer(settings=settings(stage)) as producer:
        producer.send([make(number) for number in range(first, first + count)])
