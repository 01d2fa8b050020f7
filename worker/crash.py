"""Points at which tests let a process die (or stand still), between any two steps that matter.

A point costs one comparison unless a test arms one. Nothing in a deployment arms any: it takes the variable
below, which is no setting and is read in one place.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping

VARIABLE = "CRASH_POINT"
POINTS = {
    "admitted": "in the lane, nobody rung",
    "rung": "a ring arrived, no lane leased",
    "checked-out": "leased and noted as sending, nothing sent",
    "connected": "connection open, not a byte sent",
    "half-sent": "headers sent, body not",
    "answered": "the endpoint has answered, nothing written down",
    "settled": "outcomes written, next heads in nobody's hands",
    "deferred": "retry noted, nobody told to wake",
    "woken": "due signals in their lanes, nobody rung",
    "swept": "lost lanes found, nobody rung",
    "resolved": "a dead letter back in its lane, nobody rung",
}

_armed: str | None = None
_passes_left = 0
_by = signal.SIGKILL


def arm(point: str, after: int = 0, by: signal.Signals = signal.SIGKILL) -> None:
    """Have ``point`` send this process ``by``, once, after it was passed ``after`` times."""
    global _armed, _passes_left, _by
    if point not in POINTS:
        raise ValueError(f"no such crash point: {point}")
    _armed, _passes_left, _by = point, after, by


def arm_from(environment: Mapping[str, str]) -> None:
    """Arm what ``CRASH_POINT`` says, if anything: ``name``, ``name:passes`` or ``name:passes:SIGSTOP``."""
    wanted = environment.get(VARIABLE)
    if wanted:
        name, passes, by = f"{wanted}::".split(":")[:3]
        arm(name, int(passes or 0), signal.Signals[by or "SIGKILL"])


def here(point: str) -> None:
    """The process is at ``point``."""
    if _armed == point:
        _pass_or_end()


def _pass_or_end() -> None:
    global _armed, _passes_left  # noqa: PLW0603
    _passes_left -= 1
    if _passes_left < 0:
        _armed = None
        # To this very thread: of a signal to the process another might be told first, while this one goes on.
        signal.pthread_kill(threading.get_ident(), _by)
