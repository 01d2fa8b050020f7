"""Whether a worker is wedged: there is work for it, nothing is in its way, and it gets nothing done. Pure.

A restart mends a wedged worker. It mends neither an outage of Redis nor a pause, which must not look
like one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from worker.clock import steady


@dataclass(frozen=True, slots=True)
class Progress:
    """What a worker has done so far, and has to do. The marks change with every step it makes."""

    in_flight: int
    free_places: int
    rings_in_hand: int
    """Rings it works on: has received and not yet turned into lanes of its own."""
    taken_mark: Hashable
    """Changes whenever it takes a ring, or has taken one in."""
    written_mark: Hashable
    """Changes whenever it writes outcomes down, and when it takes a first lane after a silence."""


class _Streak:
    """For how long something has been true at every look, with nothing moving in between."""

    def __init__(self) -> None:
        self._mark: Hashable = None
        self._since: float | None = None

    def end(self) -> None:
        self._since = None

    def look(self, holds: bool, mark: Hashable, now: float) -> float:
        if not holds:
            self._since = None
            return 0.0
        if self._since is None or mark != self._mark:
            self._mark, self._since = mark, now
        return now - self._since


class Watchdog:
    """Judges from looks at a worker. What happened between two looks counts as harmless."""

    def __init__(self, bound: float, clock: Callable[[], float] = steady) -> None:
        """``bound``: seconds without progress; more than a lease, in which everything settles by itself."""
        self._bound = bound
        self._clock = clock
        self._lock = threading.Lock()
        self._writing, self._taking = _Streak(), _Streak()

    def called(self, call: str, seconds: float, answered: bool) -> None:  # noqa: ARG002 - as Observe has it
        """A call to Redis went well or not. Who asks in vain is not wedged: it is read-only, busy or away."""
        if not answered:
            with self._lock:
                self._writing.end()
                self._taking.end()

    def look(self, progress: Progress, ring_queue: int | None) -> str | None:
        """One line about what is wedged, or None.

        ``ring_queue``: rings that wait for any worker; None if Redis did not answer: then nobody can get
        anything done. While everything is paused, parked or held by an open circuit no rings wait, for they
        are taken all the same.
        """
        up = ring_queue is not None
        work = bool(ring_queue) or progress.rings_in_hand > 0
        now = self._clock()
        with self._lock:
            unwritten = self._writing.look(up and progress.in_flight > 0, progress.written_mark, now)
            untaken = self._taking.look(up and work and progress.free_places > 0, progress.taken_mark, now)
        if unwritten > self._bound:
            return f"no outcome written for {unwritten:.0f} s"
        if untaken > self._bound:
            return f"rings wait, and none was taken in for {untaken:.0f} s"
        return None
