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
        self._changed = threading.Condition(threading.RLock())

    @property
    def taken(self) -> int:
        return self._size - self._free

    @property
    def free(self) -> int:
        return self._free

    def enter(self, wanted: int) -> int:
        """Take up to ``wanted`` places, waiting until there is at least one; 0 once the room is closed."""
        with self._changed:
            while self._free == 0 and not self._closed:
                self._changed.wait()
            if self._closed:
                return 0
            places = min(wanted, self._free)
            self._free -= places
            return places

    def leave(self, places: int) -> None:
        with self._changed:
            self._free += places
            self._changed.notify_all()

    def close(self) -> None:
        """Let nobody in any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait_until_empty(self, timeout: float) -> bool:
        """Whether everybody had left within ``timeout`` seconds."""
        end = time.monotonic() + timeout
        with self._changed:
            while self._free < self._size:
                left = end - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
            return True
