"""Sends one batch while the next one is being read and checked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """Runs one call at a time beside the caller, in a thread of its own.

    A daemon: who is told to end at once need not wait for an answer of Redis.
    """

    def __init__(self) -> None:
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
        self._calls.put(None)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                self._ends.put(call())
            except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
                self._ends.put(error)
