"""What the gateway reads of the ledger, and does to it, beside sending. Blocks; called in threads."""

from __future__ import annotations

from collections.abc import Sequence

import redis

from worker.lanes import Lanes
from worker.lanes.redis import translated
from worker.lanes.register import Register
from worker.lanes.views import LaneView, Trace
from worker.ports import Bell


class Desk:
    """Each method raises QueueUnavailable or QueueUnusable."""

    def __init__(self, client: redis.Redis, lanes: Lanes, bell: Bell, *, prefix: str) -> None:
        self._client = client
        self._lanes = lanes
        self._bell = bell
        self._register = Register(client, prefix=prefix)

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
