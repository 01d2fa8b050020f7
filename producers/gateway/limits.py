"""How many signals a second somebody may send. In memory: each replica counts for itself.

The generic cell rate algorithm, by hand: the library ``limits`` starts a thread every 10 ms to forget what is
over, and waits for it in the middle of a request.
"""

from __future__ import annotations

from collections.abc import Callable

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

        A second's worth may come at once, and one always. More at once never fits; it counts as that.
        """
        if not rate:
            return True
        now, most = self._clock(), max(1.0, rate)
        free = max(self._free.get((kind, name), now), now) + min(count, most) / rate
        if free - now > most / rate + 1e-9:
            return False
        self._free[kind, name] = free
        if len(self._free) > self._look_at:
            self._forget(now)
        return True

    def _forget(self, now: float) -> None:
        self._free = {name: free for name, free in self._free.items() if free > now}
        self._look_at = max(MANY, 2 * len(self._free))
