"""A bell in a room of its own: whoever rings it goes on at once.

Ringing means talking to the broker, which may take seconds when it is in trouble. The threads that post and
write outcomes down must not wait for that; and what they ring meanwhile goes out together.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence

from worker.ports import Bell

_BATCH = 1024


class Belfry:
    """Passes rings and wake-ups on to ``bell`` from one thread, merging what has come in."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._waiting: queue.SimpleQueue[tuple[Sequence[str], Sequence[int], int] | None] = (
            queue.SimpleQueue()
        )
        self._thread = threading.Thread(target=self._run, name="belfry", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Ring what has come in, for at most ``timeout`` seconds; what is left the sweep repeats."""
        self._waiting.put(None)
        self._thread.join(timeout)

    def ring(self, lanes: Sequence[str]) -> Sequence[str]:
        """Always takes all lanes; a lost ring is the sweep's to repeat."""
        self._waiting.put((lanes, (), 0))
        return ()

    def wake(self, slots_ms: Sequence[int], now_ms: int) -> None:
        self._waiting.put(((), slots_ms, now_ms))

    def _run(self) -> None:
        stopping = False
        while not stopping:
            batch = [self._waiting.get()]
            while len(batch) < _BATCH and not self._waiting.empty():
                batch.append(self._waiting.get())
            stopping = None in batch
            self._pass_on([one for one in batch if one is not None])

    def _pass_on(self, batch: list[tuple[Sequence[str], Sequence[int], int]]) -> None:
        lanes = list(dict.fromkeys(lane for names, _, _ in batch for lane in names))
        if lanes:
            self._bell.ring(lanes)
        for _, slots_ms, now_ms in batch:
            if slots_ms:
                self._bell.wake(slots_ms, now_ms)
