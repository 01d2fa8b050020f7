"""A batch on its way, in calls small enough not to hold up Redis."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Protocol

from producers.admission import Draft
from producers.producer import CALL
from producers.receipts import Receipt, Status


class Call(Protocol):
    """Checked drafts; see ``producers.sending.Sending``."""

    def begin(self) -> None: ...
    def end(self) -> list[Receipt]: ...
    def drop(self) -> None: ...


class Shipment:
    """To be begun, and then ended or dropped. Each call is checked while the one before is on its way."""

    def __init__(self, drafts: list[Draft], ready: Callable[[list[Draft]], Call]) -> None:
        """Checks what goes first; ``ready`` does that."""
        self._parts = list(_parts(drafts))
        self._ready = ready
        self._receipts: list[Receipt] = []
        self._next: Call | None = ready(self._parts[0])
        self._under_way: Call | None = None

    def begin(self) -> None:
        """Send all; of the last call only ``end`` hears. Raises QueueUnavailable or QueueUnusable."""
        for part in self._parts:
            call, self._next = self._next or self._ready(part), None
            self._hear()
            # There may be room by now: what follows would be taken before what found none.
            if any(one.status is Status.FULL for one in self._receipts):
                break
            self._under_way = call
            call.begin()

    def end(self) -> list[Receipt]:
        """A receipt each, in order. Raises QueueUnavailable or QueueUnusable."""
        self._hear()
        unsent = sum(map(len, self._parts)) - len(self._receipts)
        return self._receipts + [Receipt(Status.FULL) for _ in range(unsent)]

    def drop(self) -> None:
        """Nobody asks for receipts any more. Does nothing after ``end``."""
        call, self._under_way = self._under_way, None
        if call is not None:
            call.drop()

    def _hear(self) -> None:
        call, self._under_way = self._under_way, None
        if call is not None:
            self._receipts += call.end()


def _parts(drafts: list[Draft]) -> Iterator[list[Draft]]:
    """As few as there must be, all about as large: each takes as long as the next needs to be checked."""
    size = math.ceil(len(drafts) / math.ceil(len(drafts) / CALL))
    for start in range(0, len(drafts), size):
        yield drafts[start : start + size]
