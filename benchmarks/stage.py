"""What every scenario plays on: one server, one sink, and meters."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import psutil
import redis

from benchmarks.server import empty, serve
from demo.stack import Process, eventually, fetch, free_port

PATIENCE = 900.0
"""Seconds until a run that does not end is given up."""


class Running(Protocol):
    """A contender's process."""

    @property
    def pid(self) -> int: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Stage:
    """Server and sink, for the length of a ``with`` block."""

    def __init__(self, *, one_core: bool = False) -> None:
        """``one_core``: have workers bound to one; an interpreter cannot use more, and wastes less."""
        self.one_core = one_core
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="signals-bench-"))
            self.folder = Path(folder)
            self.server = stack.enter_context(serve(self.folder / "server"))
            self.redis = stack.enter_context(redis.Redis(port=self.server.port, decode_responses=True))
            port = free_port()
            sink = [sys.executable, "-m", "benchmarks.sink", str(port)]
            self.sink = stack.enter_context(Process(sink, self.folder / "sink.log", {}))
            self.sink_url = f"http://127.0.0.1:{port}"
            eventually(lambda: fetch(self.sink_url)[0] == 200, within=10, what="the sink answers")
            # The other contenders' modules read these when they are imported, here and in their workers.
            os.environ["BENCH_REDIS_URL"], os.environ["BENCH_SINK_URL"] = self.server.url, self.webhook
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def webhook(self) -> str:
        return f"{self.sink_url}/trading-signal/webhook"

    def log(self) -> Path:
        return self.folder / f"{time.monotonic_ns()}.log"

    def clean(self) -> None:
        """Forget everything; called between two contenders, with no worker running."""
        empty(self.redis)
        self._ask("/", "DELETE")
        self.slow()

    def slow(self, delay: float = 0.0, hang: str = "") -> None:
        """Have the sink answer after ``delay`` seconds, and ``hang``'s signals hardly ever."""
        self._ask("/", "PUT", json.dumps({"delay": delay, "hang": hang}).encode())

    def posts(self) -> int:
        return int(self._ask("/count")["posts"])

    def last_arrival(self) -> float:
        """When the latest came, by the time of day."""
        return float(self._ask("/count")["last"])

    def arrivals(self) -> dict[str, float]:
        """When each order came, by ``connector/clientOrderId``."""
        return dict(self._ask("/arrivals"))

    def arrived(self, count: int, pause: float = 0.05) -> None:
        """Wait until so many POSTs have come since the last ``clean``."""
        what = f"{count} POSTs arrive"
        eventually(lambda: self.posts() >= count, within=PATIENCE, what=what, pause=pause)

    def require_each_once(self, contender: str, count: int) -> None:
        """End the program if ``count`` different orders have not come once each."""
        found = self._ask("/record")
        if (found["posts"], found["distinct"]) != (count, count):
            sys.exit(f"{contender}: not each of {count} signals arrived once: {found}")

    def server_cpu(self) -> float:
        """Seconds of CPU that the server has used."""
        used = self.redis.info("cpu")
        return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])

    def _ask(self, path: str, method: str = "GET", body: bytes | None = None) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.sink_url}{path}", body, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return dict(json.loads(answer.read()))


@dataclass(frozen=True)
class Cost:
    """What a stretch of work took; CPU in seconds of user and system time."""

    signals: int
    seconds: float
    worker: float
    server: float
    sink: float

    @property
    def cpu(self) -> float:
        """Microseconds of the worker per signal."""
        return self.worker / self.signals * 1e6

    @property
    def server_us(self) -> float:
        return self.server / self.signals * 1e6

    @property
    def sink_us(self) -> float:
        return self.sink / self.signals * 1e6

    @property
    def rate(self) -> float:
        return self.signals / self.seconds


class Meter:
    """Reads what processes have used since it was made."""

    def __init__(self, stage: Stage, *pids: int) -> None:
        self._stage = stage
        self._pids = pids
        self._began = time.time()
        self._start = self._read()

    def cost(self, signals: int, until: float | None = None) -> Cost:
        """``until``: the time of day at which the work was done, if that was before now."""
        used = [now - then for now, then in zip(self._read(), self._start, strict=True)]
        return Cost(signals, (until or time.time()) - self._began, *used)

    def _read(self) -> tuple[float, float, float]:
        stage = self._stage
        return sum(map(cpu_seconds, self._pids)), stage.server_cpu(), cpu_seconds(stage.sink.pid)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, its children and those it has had."""
    total = 0.0
    for one in family(pid):
        with suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            total += times.user + times.system
            if one.pid == pid:
                total += times.children_user + times.children_system
    return float(total)


def family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


@contextmanager
def halted(pid: int) -> Iterator[None]:
    """The worker stands still meanwhile: queue its work here, so that only working is measured."""
    everyone = family(pid)
    for one in everyone:
        one.suspend()
    try:
        yield
    finally:
        for one in reversed(everyone):
            one.resume()


def bind(pid: int, core: int) -> None:
    """All threads of a process and its children, as ``taskset -a`` does."""
    available = psutil.Process().cpu_affinity()
    for one in family(pid):
        for thread in one.threads():
            psutil.Process(thread.id).cpu_affinity([available[core % len(available)]])
