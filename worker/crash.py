"""Points at which tests let a process die by SIGKILL, between any two steps that matter.

A point costs one comparison unless a test arms one. Nothing in a deployment arms any: it takes the variable
below, which is no setting and is read in one place.
"""

from __future__ import annotations

import os
import signal
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


def arm(point: str, after: int = 0) -> None:
    """Die at ``point``, after passing it ``after`` times."""
    global _armed, _passes_left
    if point not in POINTS:
        raise ValueError(f"no such crash point: {point}")
    _armed, _passes_left = point, after


def arm_from(environment: Mapping[str, str]) -> None:
    """Arm what ``CRASH_POINT=name`` or ``CRASH_POINT=name:passes`` says, if anything."""
    wanted = environment.get(VARIABLE)
    if wanted:
        name, _, passes = wanted.partition(":")
        arm(name, int(passes or 0))


def here(point: str) -> None:
    """The process is at ``point``."""
    if _armed == point:
        _pass_or_die()


def _pass_or_die() -> None:
    global _passes_left  # noqa: PLW0603
    _passes_left -= 1
    if _passes_left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
