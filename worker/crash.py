"""Points at which tests let a process die (or stand still, or hang), between any two steps that matter.

docs/crash-points.md tells for each what could break there and what mends it.

A point costs one comparison unless a test arms one. Nothing in a deployment arms any: it takes the variable
below, which is no setting and is read in one place.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping

VARIABLE = "CRASH_POINT"
POINTS = {
    # a producer
    "load-begun": "a run has its name, nothing sent",
    "admitted": "in the lane and rung, the sender not told",
    "load-taken": "a batch of a file taken, that not noted",
    "load-set-aside": "bad lines noted, the batch not",
    # whoever rings
    "ringing": "lanes count as rung, their message not sent",
    "arming": "a slot counts as armed, its countdown not sent",
    # a worker
    "received": "a ring arrived, nobody has begun with it",
    "rung": "a ring is being worked on, no lane leased",
    "checked-out": "leased and noted as sending, nothing sent",
    "connected": "connection open, not a byte sent",
    "half-sent": "headers sent, body (a large one) not",
    "sent": "all sent, no answer read",
    "answered": "the endpoint has answered, nothing written down",
    "settled": "outcomes written, next heads in nobody's hands",
    "deferred": "retry noted, nobody told to wake",
    "woken": "due signals in their lanes, nobody rung",
    "swept": "lost lanes found, nobody rung",
    "stopping": "told to stop, POSTs in flight",
    "turned-away": "lanes of a ring not taken by a stopping worker, nobody else rung",
    "stopped": "all in flight settled, rings for the rest perhaps not sent",
    # a person
    "resolved": "a decision written, nobody rung or told",
}

_armed: str | None = None
_passes_left = 0
_by: signal.Signals | None = signal.SIGKILL


def arm(point: str, after: int = 0, by: signal.Signals | None = signal.SIGKILL) -> None:
    """Have ``point`` send this process ``by``, once, after it was passed ``after`` times.

    None: every thread that comes by then hangs there for ever, while the others go on.
    """
    global _armed, _passes_left, _by
    if point not in POINTS:
        raise ValueError(f"no such crash point: {point}")
    _armed, _passes_left, _by = point, after, by


def arm_from(environment: Mapping[str, str]) -> None:
    """Arm what ``CRASH_POINT`` says, if anything: ``name``, ``name:passes``, ``name:passes:SIGSTOP`` or
    ``name:passes:HANG``."""
    wanted = environment.get(VARIABLE)
    if wanted:
        name, passes, by = f"{wanted}::".split(":")[:3]
        arm(name, int(passes or 0), None if by == "HANG" else signal.Signals[by or "SIGKILL"])


def here(point: str) -> None:
    """The process is at ``point``."""
    if _armed == point:
        _pass_or_end()


def _pass_or_end() -> None:
    global _armed, _passes_left  # noqa: PLW0603
    _passes_left -= 1
    if _passes_left >= 0:
        return
    if _by is None:
        threading.Event().wait()
    else:
        _armed = None
        # To this very thread: of a signal to the process another might be told first, while this one goes on.
        signal.pthread_kill(threading.get_ident(), _by)
