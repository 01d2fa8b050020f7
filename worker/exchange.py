"""One request and its answer: how long it may take, whether it may begin, and whether it has."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

DEADLINE_SLACK = 0.01
"""Seconds by which an operation may outlast the deadline; setting a timeout anew is a call to the system."""


class Withheld(Exception):
    """The sender was not allowed to begin; no byte went out."""


class Exchange:
    """One request and its answer, as seen by the connection that carries it.

    ``may_begin`` is asked once, after connecting and immediately before the first byte goes out.
    """

    __slots__ = ("_deadline", "_may_begin", "began", "reused")

    def __init__(self, deadline: float, may_begin: Callable[[], bool]) -> None:
        self._deadline = deadline
        self._may_begin = may_begin
        self.began = False
        self.reused = True

    def remaining(self) -> float:
        """Seconds left; raises TimeoutError when there are none."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("deadline exceeded")
        return left

    def bound(self, sock: socket.socket) -> None:
        """Have the next operation on ``sock`` wait no longer than what is left; raises TimeoutError."""
        left = self.remaining()
        timeout = sock.gettimeout()
        if timeout is None or abs(timeout - left) > DEADLINE_SLACK:
            sock.settimeout(left)

    def begin(self) -> None:
        if not self._may_begin():
            raise Withheld
        self.began = True
