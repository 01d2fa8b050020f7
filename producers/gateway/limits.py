"""How many signals a second somebody may send, and have waiting. In memory: each replica counts for itself.

The generic cell rate algorithm, by hand: the library ``limits`` starts a thread every 10 ms to forget what is
over, and waits for it in the middle of a request.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from producers.gateway.problems import Problem
from worker.clock import steady

MANY = 10_000
"""Names above which those are forgotten that have been silent."""


class Limiter:
    """Counts by kind and name. For one thread."""

    def __init__(self, clock: Callable[[], float] = steady) -> None:
        self._clock = clock
        self._free: dict[tuple[str, str], float] = {}
        """When a name has all its allowance again."""
        self._look_at = MANY

    def take(self, kind: str, name: str, rate: float, count: int = 1) -> bool:
        """Whether so many more are within ``rate`` per second; 0 is no limit.

        A second's worth may come at once, and one always. More at once is let in as if it were that, and paid
        for by what comes next.
        """
        if not rate:
            return True
        most = max(1.0, rate)
        if self._owed(kind, name) + min(count, most) / rate > most / rate + 1e-9:
            return False
        self.owe(kind, name, rate, count)
        return True

    def owe(self, kind: str, name: str, rate: float, count: int) -> None:
        """So many more came, which turned out only after the first was let in."""
        if not rate or not count:
            return
        now = self._clock()
        self._free[kind, name] = now + self._owed(kind, name) + count / rate
        if len(self._free) > self._look_at:
            self._forget(now)

    def wait(self, kind: str, name: str, rate: float) -> int:
        """Whole seconds, at least 1, after which one more is within ``rate``."""
        return max(1, math.ceil(self._owed(kind, name) - (max(1.0, rate) - 1) / rate))

    def _owed(self, kind: str, name: str) -> float:
        """Seconds until a name has all its allowance again."""
        now = self._clock()
        return max(0.0, self._free.get((kind, name), now) - now)

    def _forget(self, now: float) -> None:
        self._free = {name: free for name, free in self._free.items() if free > now}
        self._look_at = max(MANY, 2 * len(self._free))


class Shares:
    """How many signals of one sender may be under way, so that there is room for those of others."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: Counter[str] = Counter()

    def check(self, name: str) -> None:
        """Raises Problem 503 for who has all of his share under way."""
        if self._held[name] >= self._most:
            text = f"nothing was taken: {self._held[name]} signals of this API key wait already; try again"
            raise Problem(503, text, headers={"Retry-After": "1"})

    @contextmanager
    def hold(self, name: str, count: int) -> Iterator[None]:
        """So many more are under way. Raises as ``check`` does; who has less may go beyond it, once."""
        self.check(name)
        self._held[name] += count
        try:
            yield
        finally:
            self._held[name] -= count
