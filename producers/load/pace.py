"""How fast a load goes."""

from __future__ import annotations

import time
from collections.abc import Callable

SHARE = 0.1
"""Seconds' worth of signals that go out in one batch."""
_NAP = 0.25


class Pace:
    """Spaces batches so that no more than ``rate`` signals per second go out; what was not used is lost."""

    def __init__(
        self,
        rate: float | None,
        most: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``most``: signals that a batch may have at any rate. Without a ``rate`` nothing is waited for."""
        self.batch = most if rate is None else max(1, min(most, int(rate * SHARE)))
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._next = clock()

    def wait(self, signals: int, stop: Callable[[], bool]) -> bool:
        """Until so many may go out; False if ``stop`` said so before."""
        if self._rate is None:
            return True
        while (pause := self._next - self._clock()) > 0:
            if stop():
                return False
            self._sleep(min(pause, _NAP))
        self._next = max(self._next, self._clock()) + signals / self._rate
        return True
