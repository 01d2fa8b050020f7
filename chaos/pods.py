"""Processes that are started again when they end, as an orchestrator would."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from chaos.history import Exit
from demo.stack import Process, fetch
from worker import crash

Launch: TypeAlias = Callable[[int], tuple[list[str], dict[str, str]]]
"""Command and environment of a process, by the number of its life from 1."""

_RESTART = 0.5
"""Seconds before a process that ended is started again."""
_GRACE = 30.0
"""Seconds a process that was told to stop may take before it is killed, which is then found out."""


@dataclass
class _Life:
    name: str
    process: Process
    environment: Mapping[str, str]
    asked: str | None = None
    asked_at: float = 0.0
    ready: bool = False


class Pod:
    """One place where a process should run. Not for use by several threads."""

    def __init__(self, name: str, folder: Path, launch: Launch, ready: str) -> None:
        """``ready`` is what its log says once it works."""
        self.name = name
        self.exits: list[Exit] = []
        self.lives = 0
        self._folder = folder
        self._launch = launch
        self._ready = ready
        self._now: _Life | None = None
        self._next: _Life | None = None
        self._leaving: list[_Life] = []
        self._start_at = 0.0
        self._wanted = False

    @property
    def running(self) -> bool:
        return self._now is not None and self._now.process.exit_code is None

    @property
    def is_ready(self) -> bool:
        return self._now is not None and self.running and self._has_been_ready(self._now)

    @property
    def gone(self) -> bool:
        """Whether nothing of it runs any more."""
        return self._now is None and self._next is None and not self._leaving

    def page(self, path: str) -> tuple[int, str]:
        """Status and text of a page of the worker that runs; 0 if nobody answers."""
        port = self._now.environment["SIGNALS_METRICS_PORT"] if self._now else ""
        return fetch(f"http://127.0.0.1:{port}{path}")

    def start(self) -> None:
        self._wanted = True
        if self._now is None:
            self._now = self._born()

    def kill(self) -> None:
        if self._now is not None and self.running:
            self._now.asked = "kill"
            self._now.process.send(signal.SIGKILL)

    def suspend(self) -> None:
        if self.running and self._now is not None:
            self._now.process.send(signal.SIGSTOP)

    def resume(self) -> None:
        # All of them: whoever was suspended may have been told to stop for its successor since.
        for life in filter(None, [self._now, self._next, *self._leaving]):
            life.process.send(signal.SIGCONT)

    def stop(self) -> None:
        """SIGTERM; it is started again when it has ended."""
        if self._now is not None:
            self._ask(self._now, "stop", signal.SIGTERM)

    def roll(self) -> None:
        """Start a successor, and tell the present one to stop as soon as that works."""
        if self._next is None and self.running:
            self._next = self._born()

    def end(self) -> None:
        """Stop for good."""
        self._wanted = False
        for life in filter(None, (self._now, self._next)):
            if life.asked is None:
                self._ask(life, "stop", signal.SIGTERM)

    def discard(self) -> None:
        """Kill whatever still runs of it."""
        self._wanted = False
        for life in filter(None, [self._now, self._next, *self._leaving]):
            life.process.kill()

    def tick(self) -> None:
        """Look after it: to be called a few times a second."""
        if self._next is not None and (self._has_been_ready(self._next) or not self._wanted):
            if self._now is not None:
                self._leaving.append(self._now)
                self._ask(self._now, "stop", signal.SIGTERM)
            self._now, self._next = self._next, None
        for life in filter(None, [self._now, self._next, *self._leaving]):
            self._bury_or_hurry(life)
        if self._wanted and self._now is None and time.monotonic() >= self._start_at:
            self._now = self._born()

    def _bury_or_hurry(self, life: _Life) -> None:
        code = life.process.exit_code
        if code is None:
            overdue = time.monotonic() - life.asked_at > _GRACE
            if life.asked == "stop" and overdue:
                life.process.kill()  # asked to stop but ended by SIGKILL: the judge will see
            return
        if code == -signal.SIGKILL and life.environment.get(crash.VARIABLE):
            life.asked = "crash"
        self.exits.append(Exit(life.name, code, life.asked, self._has_been_ready(life), at=time.time()))
        if life is self._now:
            self._now = None
            self._start_at = time.monotonic() + _RESTART
        elif life is self._next:
            self._next = None
        else:
            self._leaving.remove(life)

    def _ask(self, life: _Life, what: str, number: signal.Signals) -> None:
        if life.process.exit_code is None and life.asked is None:
            life.asked, life.asked_at = what, time.monotonic()
            life.process.send(number)

    def _born(self) -> _Life:
        self.lives += 1
        name = f"{self.name}-{self.lives}"
        command, environment = self._launch(self.lives)
        # Celery leaves there what it could not put back into a queue that was gone.
        environment = {**environment, "TMPDIR": str(self._folder)}
        return _Life(name, Process(command, self._folder / f"{name}.log", environment), environment)

    def _has_been_ready(self, life: _Life) -> bool:
        life.ready = life.ready or self._ready in life.process.output()
        return life.ready
