"""Whether this process lives, and whether it can take signals now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from worker.clock import steady
from worker.errors import SignalsError

FRESH = 1.0
"""Seconds that an answer of Redis counts: probes of many must not be many probes of Redis."""


class Readiness:
    """Asks ``probe``, in a thread and one at a time, at most once a second."""

    def __init__(self, probe: Callable[[], None], *, within: float) -> None:
        self._probe = probe
        self._within = within
        self._asked: asyncio.Task[None] | None = None
        self._answered = float("-inf")

    async def trouble(self) -> str | None:
        """None if Redis answers, else one line."""
        if self._asked is not None and self._asked.done() and steady() - self._answered > FRESH:
            self._asked = None
        if self._asked is None:
            self._asked = asyncio.create_task(asyncio.to_thread(self._probe))
            self._asked.add_done_callback(self._note)
        try:
            async with asyncio.timeout(self._within):
                await asyncio.shield(self._asked)
        except TimeoutError:
            return "Redis does not answer"
        except SignalsError as error:
            return str(error)
        return None

    def _note(self, asked: asyncio.Task[None]) -> None:
        self._answered = steady()
        if not asked.cancelled():
            asked.exception()  # whoever asks next is told; nobody has to
