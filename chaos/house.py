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
from chaos.pods import (
    Launch,
    Pod,
    faketime_library,
    sender_command,
    with_wrong_clock,
    worker_command,
    worker_environment,
)
from chaos.sender import READY
from chaos.traffic import TOKEN_MARK
from chaos.wire import Wire
from demo.stack import NotInTime, Server
from worker import crash
from worker.errors import SettingsError
from worker.lanes.redis import connect

PREFIX = "chaos:"
HOME = Path(__file__).parent.parent
"""Where this package is found; the senders need not start there."""
WRONG_CLOCKS = ("+3m", "-3m")
_POINTS = [point for point in crash.POINTS if point not in ("admitted", "resolved")]
"""Those that a worker passes."""
_TAIL = 1_000_000
"""Outcomes that are kept: more than a run has."""
_READY = '"event": "ready"'


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
        self.server = Server(folder / "server", port=quiet_port())
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
            for name in [f"pod-{n}" for n in range(self.size.pods)] + ["senders"]:
                self.wires[name] = stack.enter_context(Wire(self.server.port, seed=self.size.seed))
            self._make_pods()
            self._make_senders()
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
        self._since = time.monotonic() + 1.0
        for sender in self.senders.values():
            sender.start()

    def stop_senders(self) -> None:
        for sender in self.senders.values():
            sender.end()
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
            self.wrong_clock = WRONG_CLOCKS[self.size.seed % 2]
        for name in (name for name in self.wires if name.startswith("pod")):
            clock = (library, self.wrong_clock) if library and not self.pods else None
            self.pods[name] = Pod(name, self.folder, self._launch_worker(name, clock), _READY)

    def _launch_worker(self, name: str, clock: tuple[Path, str] | None) -> Launch:
        limits = self._limits
        settings = {
            "prefix": PREFIX,
            "deadline": limits.deadline,
            "lease": limits.lease,
            "entry_expiry": limits.entry_expiry,
            "max_attempts": limits.max_attempts,
            "resend_limit": limits.resend_limit,
            "connect_timeout": 0.5,
            "threads": 16,
            "takers": 2,
            "quantum_signals": 5,
            "quantum_seconds": 1.0,
            "sweep_interval": 0.3,
            "patience": 2.0,
            "redis_timeout": 1.0,
            "backoff_base": 0.1,
            "backoff_cap": 1.0,
            "retry_after_cap": 2.0,
            "tail_length": _TAIL,
        }

        def launch(life: int) -> tuple[list[str], dict[str, str]]:
            address = f"redis://127.0.0.1:{self.wires[name].port}/0"
            environment = worker_environment(address, self.endpoint.url, settings)
            environment[crash.VARIABLE] = crash_point(self.size.seed, name, life, _POINTS)
            if clock is None:
                return worker_command(), environment
            command, more = with_wrong_clock(worker_command(), *clock)
            return command, {**environment, **more}

        return launch

    def _make_senders(self) -> None:
        for number in range(self.size.senders):
            name = f"sender-{number}"
            self.senders[name] = Pod(name, self.folder, self._launch_sender(number), READY)

    def _launch_sender(self, number: int) -> Launch:
        def launch(life: int) -> tuple[list[str], dict[str, str]]:
            order = {
                "url": f"redis://127.0.0.1:{self.wires['senders'].port}/0",
                "prefix": PREFIX,
                "expiry": self._limits.entry_expiry,
                "tail": _TAIL,
                "seed": self.size.seed,
                "me": number,
                "senders": self.size.senders,
                "rate": self.size.rate,
                "since": self._since,
                "journal": str(self._journal(number)),
            }
            point = crash_point(self.size.seed, f"sender-{number}", life, ["admitted"])
            return sender_command(order), {"PYTHONPATH": str(HOME), crash.VARIABLE: point}

        return launch

    def _end_all(self) -> None:
        """End what still runs, however it is."""
        for pod in (*self.senders.values(), *self.pods.values()):
            pod.discard()


def crash_point(seed: int, name: str, life: int, points: list[str]) -> str:
    """Where this life of a process ends by SIGKILL, if it comes that far; nowhere for most and the first."""
    chance = random.Random(f"crash/{seed}/{name}/{life}")
    if life == 1 or chance.random() > 0.4:
        return ""
    return f"{chance.choice(points)}:{chance.randint(0, 100)}"


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
