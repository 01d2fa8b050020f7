"""A counted number of places that callers wait for."""

from __future__ import annotations

import threading
import time


class Room:
    """``size`` places; enter as many as are free, leave when done."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._free = size
        self._closed = False
        # Re-entrant, because a signal handler may close the room under its own thread's feet.
        lock = threading.RLock()
        self._vacancy = threading.Condition(lock)
        self._emptied = threading.Condition(lock)

    @property
    def taken(self) -> int:
        return self._size - self._free

    @property
    def free(self) -> int:
        return self._free

    def enter(self, wanted: int) -> int:
        """Take up to ``wanted`` places, waiting until there is at least one; 0 once the room is closed."""
        with self._vacancy:
            while self._free == 0 and not self._closed:
                self._vacancy.wait()
            if self._closed:
                return 0
            places = min(wanted, self._free)
            self._free -= places
            if self._free:
                self._vacancy.notify()  # one is told at a time, and tells the next
            return places

    def leave(self, places: int) -> None:
        with self._vacancy:
            self._free += places
            self._vacancy.notify()
            if self._free == self._size:
                self._emptied.notify_all()

    def close(self) -> None:
        """Let nobody in any more."""
        with self._vacancy:
            self._closed = True
            self._vacancy.notify_all()

    def wait_until_empty(self, timeout: float) -> bool:
        """Whether everybody had left within ``timeout`` seconds."""
        end = time.monotonic() + timeout
        with self._emptied:
            while self._free < self._size:
                left = end - time.monotonic()
                if left <= 0:
                    return False
                self._emptied.wait(left)
            return True
