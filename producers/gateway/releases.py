"""Forgets the texts of webhook messages that were answered, so that the same text may come again at once."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence

from worker.errors import SignalsError

log = logging.getLogger(__name__)

PAUSE = 0.005
"""Seconds in which releases gather for one call. Another replica takes the same text for known meanwhile."""
MOST = 500
"""Of them in one call."""


class Releases:
    """Releases claims in batches: in the background, and before anything else is admitted by this process.

    What is not released, because Redis is away or this process dies, is forgotten at the end of its window.
    """

    def __init__(self, release: Callable[[Sequence[str]], None]) -> None:
        """``release`` blocks; it is called from several threads, one at a time."""
        self._release = release
        self._ids: list[str] = []
        self._turn = threading.Lock()
        self._some = asyncio.Event()

    def later(self, ids: Sequence[str]) -> None:
        self._ids.extend(ids)
        self._some.set()

    async def run(self) -> None:
        """Release what comes in, until cancelled."""
        while True:
            await self._some.wait()
            self._some.clear()
            await asyncio.sleep(PAUSE)
            await asyncio.to_thread(self.flush)

    def flush(self) -> None:
        """Release what has come in. Whoever admits afterwards finds these texts unknown."""
        if not self._ids and not self._turn.locked():
            return
        with self._turn:
            while ids := self._ids[:MOST]:
                del self._ids[:MOST]  # only ever appended to elsewhere
                self._try(ids)

    def _try(self, ids: Sequence[str]) -> None:
        try:
            self._release(ids)
        except SignalsError as error:
            fields = {"texts": len(ids), "error": str(error)}
            log.warning("texts stay known for their window", extra=fields)
