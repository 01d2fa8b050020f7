"""How workers and senders are started: command and environment of each of their lives."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos.history import Limits
from chaos.pods import Launch
from demo.stack import cli, free_port
from worker import crash

PREFIX = "chaos:"
HOME = Path(__file__).parent.parent
"""Where this package is found; the senders need not start there."""
TAIL = 1_000_000
"""Outcomes that are kept: more than a run has."""
WORKER_READY = '"event": "ready"'
_POINTS = [point for point in crash.POINTS if point not in ("admitted", "resolved")]
"""Those that a worker passes."""
_SETTINGS = {
    "prefix": PREFIX,
    "log_format": "json",
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
    "tail_length": TAIL,
}
"""All shorter and smaller than one would have it, so that more happens in a minute."""
# This preload breaks clock_nanosleep with an absolute time, which is how time.sleep sleeps.
_SLEEP_OTHERWISE = "import threading, time; time.sleep = lambda s: threading.Event().wait(s) and None; "


@dataclass(frozen=True, slots=True)
class WrongClock:
    """A wall clock that is off; the steady clocks stay right."""

    library: Path
    offset: str
    """As Debian's `faketime` reads it: ``+3m``."""

    def given_to(self, command: list[str]) -> tuple[list[str], dict[str, str]]:
        """``command`` (Python with ``-c``) with this clock, and what it needs in its environment."""
        python, flag, script, *rest = command
        environment = {"LD_PRELOAD": str(self.library), "FAKETIME": self.offset}
        steady = dict.fromkeys(("DONT_FAKE_MONOTONIC", "FAKETIME_DONT_FAKE_MONOTONIC"), "1")
        return [python, flag, _SLEEP_OTHERWISE + script, *rest], {**environment, **steady}


def faketime_library() -> Path | None:
    """What gives a process a wrong clock; None if Debian's `faketime` is not installed."""
    return next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


def worker(
    name: str, redis_port: int, endpoint_url: str, limits: Limits, seed: int, clock: WrongClock | None
) -> Launch:
    """A worker behind its own wire."""
    settings = {
        **_SETTINGS,
        "redis_url": f"redis://127.0.0.1:{redis_port}/0",
        "endpoint_url": endpoint_url,
        "deadline": limits.deadline,
        "lease": limits.lease,
        "entry_expiry": limits.entry_expiry,
        "max_attempts": limits.max_attempts,
        "resend_limit": limits.resend_limit,
    }
    command, clocks = cli("worker", "run"), dict[str, str]()
    if clock is not None:
        command, clocks = clock.given_to(command)

    def launch(life: int) -> tuple[list[str], dict[str, str]]:
        given = {**settings, "metrics_port": free_port()}
        environment = {f"SIGNALS_{key.upper()}": str(value) for key, value in given.items()}
        return command, {**environment, **clocks, crash.VARIABLE: crash_point(seed, name, life, _POINTS)}

    return launch


def sender(order: Mapping[str, object]) -> Launch:
    """A sender with its order (see ``chaos.sender``)."""

    def launch(life: int) -> tuple[list[str], dict[str, str]]:
        point = crash_point(int(str(order["seed"])), f"sender-{order['me']}", life, ["admitted"])
        environment = {"PYTHONPATH": str(HOME), crash.VARIABLE: point}
        return [sys.executable, "-m", "chaos.sender", json.dumps(order)], environment

    return launch


def crash_point(seed: int, name: str, life: int, points: Sequence[str]) -> str:
    """Where this life of a process ends by SIGKILL, if it comes that far; nowhere for most and the first."""
    chance = random.Random(f"crash/{seed}/{name}/{life}")
    if life == 1 or chance.random() > 0.4:
        return ""
    return f"{chance.choice(points)}:{chance.randint(0, 100)}"
