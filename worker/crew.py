"""Threads that work jobs off: as many at a time as are of use.

An interpreter runs one thread at a time. Who gives it up, to send or to wait for an answer, must win it back
from all others at work, and between two cores that costs more than the rest of a POST. Where the endpoint
answers at once, two or three threads fill the interpreter, and each further one only makes them slower; where
it takes its time, hundreds must wait for it together. So a job that comes while the processor is full is left
to those at work; while it is not, it wakes a thread that rests.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")

FULL = 0.65
"""Share of one core from which on it counts as full. A handful of threads fights for the interpreter long
before it is, the more so on a core that others use, too..."""
FULL_FOR_MANY = 0.8
"""...and where more than ``MANY`` are at work, they wait for the endpoint, and more are of use for longer."""
MANY = 64
SPAN = 0.02
"""Seconds over which that is measured, at least."""
LOOK = 0.002
"""Seconds between two looks whether jobs that were left to those at work are stuck behind them."""


class Gauge:
    """Tells how much this process uses of what an interpreter can. One thread at a time may ask."""

    def __init__(self, clock: Callable[[], float], used: Callable[[], float]) -> None:
        self._clock = clock
        self._used = used
        self._since, self._used_then = clock(), used()
        self._share = 0.0

    def share(self) -> float:
        """Of one core, in the time since the last look that is long enough ago."""
        now = self._clock()
        if now - self._since >= SPAN:
            used = self._used()
            self._share = (used - self._used_then) / (now - self._since)
            self._since, self._used_then = now, used
        return self._share


class Crew(Generic[T]):
    """``size`` threads that call ``work`` with each job, begun in the order in which they came."""

    def __init__(
        self,
        size: int,
        work: Callable[[T], None],
        *,
        name: str,
        clock: Callable[[], float] = time.monotonic,
        used: Callable[[], float] = time.process_time,
    ) -> None:
        """``work`` must not raise. ``name``: of the threads, before their numbers. ``used``: seconds of
        processor time that this process has had so far."""
        self._work = work
        self._jobs: deque[T] = deque()
        self._lock = threading.Lock()
        self._size = self._resting = size
        self._gauge = Gauge(clock, used)
        self._bench: SimpleQueue[bool] = SimpleQueue()
        """True for each thread that shall go to work, False for each that shall end."""
        self._taken = self._taken_then = 0
        self._overseeing = False
        self._calls: SimpleQueue[bool] = SimpleQueue()
        """The same for the overseer."""
        self._threads = [
            *(threading.Thread(target=self._serve, name=f"{name}-{n}", daemon=True) for n in range(size)),
            threading.Thread(target=self._oversee, name=f"{name}s-overseer", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def put(self, jobs: Sequence[T]) -> None:
        """Have these done. Returns at once."""
        with self._lock:
            self._jobs.extend(jobs)
            if not self._full():
                self._wake(len(self._jobs))
            elif self._resting == self._size:
                self._wake(1)
            if self._left_waiting() and not self._overseeing:
                self._overseeing = True
                self._calls.put(True)

    def end(self) -> None:
        """Let the threads go as soon as nothing is left to do. Nothing may be put any more."""
        for _ in range(self._size):
            self._bench.put(False)
        self._calls.put(False)

    def join(self, timeout: float) -> None:
        """Wait for each thread to go, up to ``timeout`` seconds."""
        for thread in self._threads:
            thread.join(timeout)

    @property
    def alive(self) -> bool:
        """Whether all threads are there."""
        return all(thread.is_alive() for thread in self._threads)

    def _full(self) -> bool:
        many = self._size - self._resting > MANY
        return self._gauge.share() >= (FULL_FOR_MANY if many else FULL)

    def _wake(self, most: int) -> None:
        count = min(most, self._resting)
        self._resting -= count
        for _ in range(count):
            self._bench.put(True)

    def _left_waiting(self) -> bool:
        """Whether there are more jobs than threads that were woken, and threads that could be."""
        return self._resting > 0 and len(self._jobs) > 0

    def _serve(self) -> None:
        while self._bench.get():
            while not self._may_rest():
                try:
                    job = self._jobs.popleft()
                except IndexError:  # another was quicker
                    continue
                self._taken += 1  # two threads may count as one; it is only asked whether it changes
                self._work(job)

    def _may_rest(self) -> bool:
        if self._jobs:
            return False
        with self._lock:  # what is put from now on finds this thread resting
            if self._jobs:
                return False
            self._resting += 1
            return True

    def _oversee(self) -> None:
        while self._calls.get():
            time.sleep(LOOK)
            while self._look():
                time.sleep(LOOK)

    def _look(self) -> bool:
        """Send more to work if there is something to gain; False if nobody needs to look again.

        Who takes no job is stuck, however full the processor: then something else fills it.
        """
        with self._lock:
            stuck, self._taken_then = self._taken == self._taken_then, self._taken
            self._overseeing = self._left_waiting()
            if self._overseeing and (stuck or not self._full()):
                self._wake(min(len(self._jobs), self._size - self._resting))
            return self._overseeing
