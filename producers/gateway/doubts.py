"""Messages without an id that may have been taken, although their sender was not told so.

Their text is known in Redis, but within the first seconds the same text is another signal, and what a frozen
Redis takes in late is young when the message comes again. So it is then sent under the same ids, which takes
nothing twice however late the first comes. Only the replica that was asked first can do that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from worker.clock import steady

KNOWN = 60.0
"""Seconds; as long as a text is known in Redis."""
MOST = 10_000
"""Texts beyond which the oldest are forgotten."""

Ids: TypeAlias = Mapping[str, str]
"""Of each connector that a message is for, the id under which its signal was sent."""


class Doubts:
    """Remembers the ids of such messages. For one thread."""

    def __init__(self, clock: Callable[[], float] = steady) -> None:
        self._clock = clock
        self._noted: dict[str, list[tuple[float, Ids]]] = {}

    def note(self, text: str, ids: Ids) -> None:
        """The message with this text was sent under these, and its sender may send it again."""
        now = self._clock()
        self._noted[text] = [*self._noted.pop(text, []), (now + KNOWN, ids)]
        while self._is_over(oldest := next(iter(self._noted)), now) or len(self._noted) > MOST:
            del self._noted[oldest]

    def settle(self, text: str) -> Ids:
        """The ids under which the message with this text is to be sent again, once; none if it is new."""
        now = self._clock()
        noted = [one for one in self._noted.pop(text, []) if one[0] > now]
        if len(noted) > 1:  # two alike came, and each may come again
            self._noted[text] = noted[1:]
        return noted[0][1] if noted else {}

    def _is_over(self, text: str, now: float) -> bool:
        return self._noted[text][-1][0] <= now
