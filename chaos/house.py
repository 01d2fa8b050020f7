"""All parts of a run: server, endpoint, worker and sender processes, and the wires between them."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from chaos.endpoint import Endpoint
from chaos.history import Limits
from chaos.launch import (
    PREFIX,
    TAIL,
    WORKER_READY,
    WrongClock,
    faketime_library,
    sender,
    worker,
)
from chaos.pods import Pod
from chaos.sender import READY
from chaos.traffic import TOKEN_MARK
from chaos.wire import Wire
from demo.stack import NotInTime, Server
from worker.errors import SettingsError
from worker.lanes.redis import connect

WRONG_CLOCKS = ("+3m", "-3m")
SENDERS = "senders"
"""Name of the wire that all senders share; each pod has one of its own."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a run is."""

    seed: int
    seconds: float
    """How long the storm lasts; what was accepted is worked off after it."""
    rate: float = 60.0
    """Signals per second, of all senders together."""
    pods: int = 3
    senders: int = 3


class House:
    """Starts and stops the parts; breaking them is the storm's."""

    def __init__(self, size: Size, limits: Limits, folder: Path) -> None:
        self.size = size
        self.folder = folder
        self._limits = limits
        self._stack = ExitStack()
        # With the usual `everysec` the server puts its writes off while the disk is slow to sync, and answers
        # all the same: killed then, it forgets up to two seconds, a stated limit that is not on trial here.
        self.server = Server(folder / "server", port=quiet_port(), appendfsync="no")
        self.endpoint = Endpoint(size.seed, quiet_port())
        self.wires: dict[str, Wire] = {}
        self.pods: dict[str, Pod] = {}
        self.senders: dict[str, Pod] = {}
        self.wrong_clock = ""
        """How the first pod's clock is off; empty if it cannot be set."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.server)
            stack.callback(self.endpoint.stop)
            self.client = stack.enter_context(connect(self.server.url, timeout=5.0))
            for name in [f"pod-{n}" for n in range(self.size.pods)] + [SENDERS]:
                self.wires[name] = stack.enter_context(Wire(self.server.port, seed=self.size.seed))
            self._make_pods()
            stack.callback(self._end_all)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def tick(self) -> None:
        """Look after all processes: to be called a few times a second."""
        for pod in (*self.pods.values(), *self.senders.values()):
            pod.tick()

    def until(self, done: Callable[[], bool], within: float, what: str) -> None:
        """Look after all until ``done()``; raises NotInTime after ``within`` seconds."""
        end = time.monotonic() + within
        while not done():
            if time.monotonic() > end:
                raise NotInTime(f"not within {within:g} s: {what} (logs in {self.folder})")
            self.tick()
            time.sleep(0.05)

    def start_workers(self) -> None:
        for pod in self.pods.values():
            pod.start()
        self.until(lambda: all(pod.is_ready for pod in self.pods.values()), 60, "all workers are ready")

    def start_senders(self) -> None:
        since = time.monotonic() + 1.0
        for pod in [self._sender(number, since) for number in range(self.size.senders)]:
            self.senders[pod.name] = pod
            pod.start()
        self.until(lambda: all(pod.is_ready for pod in self.senders.values()), 60, "all senders send")

    def stop_senders(self) -> None:
        for one in self.senders.values():
            one.end()
        self.until(lambda: all(one.gone for one in self.senders.values()), 45, "all senders have ended")

    def stop_workers(self) -> None:
        for pod in self.pods.values():
            pod.end()
        self.until(lambda: all(one.gone for one in self.pods.values()), 60, "all workers have ended")

    def sick(self, within: float) -> list[str]:
        """What does not work ``within`` seconds although nothing disturbs it any more."""
        with suppress(NotInTime):
            self.until(lambda: not any(self._complaints()), within, "all workers are well")
        return list(self._complaints())

    def _complaints(self) -> Iterator[str]:
        for pod in self.pods.values():
            for path in ("/livez", "/readyz"):
                status, text = pod.page(path)
                if status != 200:
                    yield f"{pod.name} says {status} at {path}: {text.strip()}"

    def leaks(self) -> Iterator[str]:
        """Pages of the workers that show a token."""
        for pod in self.pods.values():
            if TOKEN_MARK in pod.page("/metrics")[1]:
                yield f"the metrics of {pod.name}"

    def journals(self) -> list[Path]:
        return [self._journal(n) for n in range(self.size.senders)]

    def _journal(self, number: int) -> Path:
        return self.folder / f"sender-{number}.journal"

    def _make_pods(self) -> None:
        library = faketime_library()
        if library is not None:
            self.wrong_clock = WRONG_CLOCKS[self.size.seed % len(WRONG_CLOCKS)]
        for name, wire in self.wires.items():
            if name != SENDERS:
                clock = WrongClock(library, self.wrong_clock) if library and not self.pods else None
                launch = worker(name, wire.port, self.endpoint.url, self._limits, self.size.seed, clock)
                self.pods[name] = Pod(name, self.folder, launch, WORKER_READY)

    def _sender(self, number: int, since: float) -> Pod:
        order = {
            "url": f"redis://127.0.0.1:{self.wires[SENDERS].port}/0",
            "prefix": PREFIX,
            "expiry": self._limits.entry_expiry,
            "tail": TAIL,
            "seed": self.size.seed,
            "me": number,
            "senders": self.size.senders,
            "rate": self.size.rate,
            "since": since,
            "journal": str(self._journal(number)),
        }
        return Pod(f"sender-{number}", self.folder, sender(order), READY)

    def _end_all(self) -> None:
        """End what still runs, however it is."""
        for pod in (*self.senders.values(), *self.pods.values()):
            pod.discard()


def quiet_port() -> int:
    """A free port that no outgoing connection is given: a server that comes back finds it free."""
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise SettingsError("no free port from 20000 to 32000")
