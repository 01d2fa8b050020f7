"""What the gateway reads of the ledger, and does to it, beside sending. Blocks; called in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

import redis

from producers.gateway.problems import Problem
from worker.errors import QueueUnavailable, QueueUnusable
from worker.lanes import Lanes
from worker.lanes.redis import translated
from worker.lanes.register import Register
from worker.lanes.views import LaneView, Trace
from worker.ports import Bell

T = TypeVar("T")


class Desk:
    """Each method but ``ask`` raises QueueUnavailable or QueueUnusable."""

    def __init__(self, client: redis.Redis, lanes: Lanes, bell: Bell, *, prefix: str) -> None:
        self._client = client
        self._lanes = lanes
        self._bell = bell
        self._register = Register(client, prefix=prefix)
        self._prefix = prefix

    async def ask(self, question: Callable[[], T], *, within: float) -> T:
        """The answer of one of the methods below. Raises Problem 503 if there is none in so many seconds."""
        try:
            async with asyncio.timeout(within):
                return await asyncio.to_thread(question)
        except (QueueUnavailable, QueueUnusable, TimeoutError) as error:
            raise Problem(503, "Redis does not answer: try again", headers={"Retry-After": "1"}) from error

    def ready(self) -> None:
        """Whether Redis answers."""
        with translated():
            self._client.ping()

    def signal(self, signal_id: str) -> Trace | None:
        return self._register.trace(signal_id)

    def order(self, connector: str, order_id: str) -> Trace | None:
        """The signal that holds this clientOrderId now."""
        found = self._register.holder("order", connector, order_id)
        return None if found is None else self._register.trace(found)

    def lane(self, connector: str) -> LaneView | None:
        return self._register.lane(connector)

    def drop(self, signal_id: str, *, by: str) -> str:
        """``done``, ``sending``, ``doubtful`` or ``gone``."""
        answer = self._lanes.drop([signal_id], by=by)
        if answer.rings:
            self._bell.ring(answer.rings)
        if answer.slots_ms:
            self._bell.wake(answer.slots_ms, answer.now_ms)
        return answer.results[0]

    def release(self, ids: Sequence[str]) -> None:
        self._lanes.release(ids)

    def claim(self, name: str, content: str, window_ms: int) -> str | None:
        """Have a name of an installation stand for a content unless it does so already: then for which."""
        key = f"{self._prefix}claim:request:{name}"
        with translated():
            known = self._client.set(key, content, nx=True, get=True, px=window_ms)
        return known.decode() if isinstance(known, bytes) else None

    def unclaim(self, name: str) -> None:
        with translated():
            self._client.delete(f"{self._prefix}claim:request:{name}")
