"""Forgets the texts of webhook messages that were answered, so that the same text may come again at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from worker.errors import SignalsError

log = logging.getLogger(__name__)

PAUSE = 0.02
"""Seconds in which releases gather for one call."""
MOST = 500
"""Of them in one call."""


class Releases:
    """Releases claims in batches, in the background.

    What is not released, because Redis is away or this process dies, is forgotten at the end of its window.
    """

    def __init__(self, release: Callable[[Sequence[str]], None]) -> None:
        """``release`` blocks; it runs in a thread."""
        self._release = release
        self._ids: list[str] = []
        self._some = asyncio.Event()

    def later(self, ids: Sequence[str]) -> None:
        self._ids += ids
        self._some.set()

    async def run(self) -> None:
        """Release what comes in, until cancelled."""
        while True:
            await self._some.wait()
            await asyncio.sleep(PAUSE)
            await self.flush()

    async def flush(self) -> None:
        while self._ids:
            ids, self._ids = self._ids[:MOST], self._ids[MOST:]
            try:
                await asyncio.to_thread(self._release, ids)
            except SignalsError as error:
                log.warning(
                    "texts stay known for their window", extra={"texts": len(ids), "error": str(error)}
                )
        self._some.clear()
