"""Until when a call may take effect: as long as its caller listens.

A copy of a call can reach the server long after its caller has given it up, repeated it and gone on: the
network held it back, or the server stood still. A late checkout would lease a lane to nobody and note its
head as being sent, and the next to come could only call that signal unknown. So each call carries the time,
by the server's clock, after which it must do nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis

from worker.clock import steady


class Hearing:
    """Knows the server's clock from its latest answer. Safe to use from many threads."""

    def __init__(self, client: redis.Redis, clock: Callable[[], float] = steady) -> None:
        """``client`` waits for an answer as long as its ``socket_timeout`` says; None: for ever."""
        self._client = client
        self._clock = clock
        self._wait: float | None = client.connection_pool.connection_kwargs.get("socket_timeout")
        self._heard: tuple[float, int] | None = None

    def until(self) -> str:
        """The server's time in ms after which nobody listens to a call that is sent now; empty: never.

        Raises RedisError if the server has not told its time yet and does not now.
        """
        if self._wait is None:
            return ""
        if self._heard is None:
            asked = self._clock()
            seconds, micros = self._client.time()
            self.note(asked, seconds * 1000 + micros // 1000)
        asked, now_ms = self._heard or (0.0, 0)
        return str(round(now_ms + (self._clock() - asked + self._wait) * 1000))

    def note(self, asked: float, now_ms: Any) -> None:
        """A call made at ``asked`` was answered, and the server's clock said ``now_ms`` meanwhile."""
        self._heard = (asked, int(now_ms))
