"""Sends one batch while the next one is being read and checked."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")

SWITCH = 0.0005
"""Seconds after which a busy thread lets another run. Python's 5 ms would hold up each send and receive of a
batch by so much, for the reading thread is always busy: together as long as Redis takes."""


class Ahead(Generic[T]):
    """Runs one call at a time beside the caller, in a thread of its own.

    A daemon: who is told to end at once need not wait for an answer of Redis.
    """

    def __init__(self) -> None:
        self._switch = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH)
        self._calls: SimpleQueue[Callable[[], T] | None] = SimpleQueue()
        self._ends: SimpleQueue[T | BaseException] = SimpleQueue()
        threading.Thread(target=self._run, name="sender", daemon=True).start()

    def begin(self, call: Callable[[], T]) -> None:
        """Start a call; the one before must have been waited for."""
        self._calls.put(call)

    def end(self) -> T:
        """What the call gave. Raises what it raised."""
        found = self._ends.get()
        if isinstance(found, BaseException):
            raise found
        return found

    def close(self) -> None:
        """Let the thread end."""
        sys.setswitchinterval(self._switch)
        self._calls.put(None)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                self._ends.put(call())
            except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
                self._ends.put(error)
