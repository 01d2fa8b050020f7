"""What people decided, as far as it is remembered. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import redis

from worker.lanes import foreign
from worker.lanes.redis import translated
from worker.lanes.views import PauseView

_PAGE = 500


class Acts:
    """Reads the stream of acts. It is bounded (``SIGNALS_TAIL_LENGTH``): old ones are forgotten."""

    def __init__(self, client: redis.Redis, *, prefix: str = "signals:") -> None:
        self._client = client
        self._key = f"{prefix}acts"

    def pauses(self, held: Mapping[str, Iterable[str]]) -> list[PauseView]:
        """Who began each of these pauses, when and why. ``held``: as in a census.

        Those whose beginning is forgotten come without. Reads newest first and no further than it must.
        Raises QueueUnavailable or QueueUnusable.
        """
        found: dict[tuple[str, str], PauseView | None] = {
            (scope, label): None for scope, labels in held.items() for label in labels
        }
        missing = len(found)
        high = "+"
        while missing:
            with translated():
                page: Any = self._client.xrevrange(self._key, max=high, count=_PAGE)
            for entry, fields in page:
                pause = _pause(entry, fields)
                if pause is not None and found.get(place := (pause.scope, pause.label), pause) is None:
                    found[place] = pause
                    missing -= 1
            if len(page) < _PAGE:
                break
            high = f"({foreign.text(page[-1][0])}"
        return [pause or PauseView(*place) for place, pause in found.items()]


def _pause(entry: bytes, fields: Mapping[bytes, bytes]) -> PauseView | None:
    told = {foreign.text(name): foreign.text(value) for name, value in fields.items()}
    if told.get("act") != "pause":
        return None
    return PauseView(
        scope=told.get("scope", ""),
        label=told.get("label", ""),
        since_ms=foreign.number(foreign.text(entry).partition("-")[0]),
        by=told.get("by", ""),
        why=told.get("why", ""),
    )
