"""The stream of outcomes, as it was and as it grows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import redis

from worker.errors import QueueUnavailable
from worker.lanes import foreign
from worker.lanes.redis import translated
from worker.lanes.views import OutcomeView

START = "0-0"
_PAGE = 500
_PAUSE = 0.5


class Feed:
    """Reads outcomes. The stream is bounded (``SIGNALS_TAIL_LENGTH``): old ones are forgotten."""

    def __init__(self, client: redis.Redis, *, prefix: str = "signals:", block_ms: int = 1000) -> None:
        """``block_ms``: longest wait per call; must be below the client's timeout."""
        self._client = client
        self._key = f"{prefix}outcomes"
        self._block_ms = block_ms

    def newest(self) -> str:
        """The place of the latest outcome, to go on after it; raises QueueUnavailable or QueueUnusable."""
        with translated():
            found: Any = self._client.xrevrange(self._key, count=1)
        return foreign.text(found[0][0]) if found else START

    def past(self, until: str, *, since_ms: int = 0) -> Iterator[OutcomeView]:
        """Outcomes newest first, from the entry ``until`` back to ``since_ms``; lazily, page by page.

        Raises QueueUnavailable or QueueUnusable.
        """
        high = until
        while True:
            with translated():
                found: Any = self._client.xrevrange(self._key, max=high, min=max(0, since_ms), count=_PAGE)
            for entry, fields in found:
                yield _outcome(entry, fields)
            if len(found) < _PAGE:
                return
            high = f"({foreign.text(found[-1][0])}"

    def follow(self, after: str, *, trouble: Callable[[str], None]) -> Iterator[OutcomeView]:
        """Outcomes after the entry ``after`` as they happen, for ever.

        An outage is told to ``trouble`` once, and so is its end; nothing is missed by it unless the
        stream itself lost or forgot it. Raises QueueUnusable if Redis refuses for good.
        """
        down = False
        while True:
            try:
                entries = self._read(after)
            except QueueUnavailable as error:
                if not down:
                    trouble(f"{error}; trying again")
                down = True
                time.sleep(_PAUSE)
                continue
            if down:
                trouble("Redis answers again")
                down = False
            for entry, fields in entries:
                after = foreign.text(entry)
                yield _outcome(entry, fields)

    def _read(self, after: str) -> list[tuple[bytes, Any]]:
        with translated():
            found: Any = self._client.xread({self._key: after}, count=_PAGE, block=self._block_ms)
        return found[0][1] if found else []


def _outcome(entry: bytes, fields: Mapping[bytes, bytes] | None) -> OutcomeView:
    raw = fields or {}
    place = foreign.text(entry)
    return OutcomeView(
        entry=place,
        at_ms=foreign.number(place.partition("-")[0]),
        id=foreign.text(raw.get(b"id")),
        connector=foreign.text(raw.get(b"connector")),
        action=foreign.text(raw.get(b"action")),
        outcome=foreign.text(raw.get(b"outcome")),
        why=foreign.text(raw.get(b"why")),
        attempts=foreign.number(raw.get(b"attempts")),
        admitted_ms=foreign.number(raw.get(b"admitted")),
        due_ms=foreign.number(raw.get(b"due")),
    )
