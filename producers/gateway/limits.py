"""How many signals a second somebody may send. In memory: each replica counts for itself."""

from __future__ import annotations

import math

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter


class Limiter:
    """Counts by kind and name; names that are silent are forgotten."""

    def __init__(self) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._items: dict[float, RateLimitItem] = {}

    def take(self, kind: str, name: str, rate: float, count: int = 1) -> bool:
        """Whether so many more are within ``rate`` per second; 0 is no limit.

        More at once than a second's worth never fit; they count as a second's worth.
        """
        if not rate:
            return True
        item = self._items.get(rate) or self._items.setdefault(rate, _item(rate))
        return self._limiter.hit(item, kind, name, cost=min(count, item.amount))


def _item(rate: float) -> RateLimitItem:
    """A whole number in a whole number of seconds."""
    return (
        RateLimitItemPerSecond(math.floor(rate))
        if rate >= 1
        else RateLimitItemPerSecond(1, math.ceil(1 / rate))
    )
