"""Which request an ``Idempotency-Key`` belongs to, if it is to be repeated as it was or not at all.

The queue knows a key per connector and signal. So the same key with other connectors, or with signals in
another order, would be nothing it has seen; and where a signal has a clientOrderId as well, it is asked for
that first. Therefore a request claims its key as a whole before anything of it is admitted. What of it was
admitted when Redis failed in the middle is known signal by signal, and the same request completes the rest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from producers.gateway.desk import Desk
from producers.gateway.problems import Problem
from producers.receipts import Receipt, Status
from worker.contract.decimals import JsonNumber

MARGIN = 60.0
"""Seconds that a request is remembered longer than its signals, which are admitted a little later."""
_NOT_TRADING = frozenset({"connectorToken", "log"})


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that belongs to the request in hand."""

    name: str
    is_new: bool


class Claims:
    """Claims keys for requests."""

    def __init__(self, desk: Desk, *, deadline: float) -> None:
        """``deadline``: seconds that Redis may take to answer."""
        self._desk = desk
        self._deadline = deadline

    async def claim(self, owner: str, key: str, content: str, *, window: float) -> Claim:
        """Have ``key`` of ``owner`` stand for this content for ``window`` seconds.

        Raises Problem 409 if it stands for another, and 503 if Redis does not answer; nothing has been taken.
        """
        name = _digest(f"{owner}\n{key}")
        window_ms = round((window + MARGIN) * 1000)
        known = await self._desk.ask(
            lambda: self._desk.claim(name, content, window_ms), within=self._deadline
        )
        if known not in (None, content):
            raise Problem(409, "this Idempotency-Key belongs to a different request: send it under a new one")
        return Claim(name, known is None)

    async def settle(self, claim: Claim, receipts: Sequence[Receipt]) -> None:
        """Give the key back if its request was nonsense: its sender will mend it and send it again."""
        if claim.is_new and all(receipt.status is Status.INVALID for receipt in receipts):
            with suppress(Problem):  # then it is forgotten at the end of its window
                await self._desk.ask(lambda: self._desk.unclaim(claim.name), within=self._deadline)


def content_of(items: Sequence[object], query: bytes = b"") -> str:
    """What makes two requests the same: signals but for token and log, their order, and the query.

    White space and the order of fields do not count. Raises Problem 422 for what is nested too deeply.
    """
    try:
        text = json.dumps([_trading(item) for item in items], sort_keys=True, default=_plain)
    except RecursionError:
        raise Problem(422, "the body is nested too deeply") from None
    return _digest(f"{query.decode('latin-1')}\n{text}")


def _trading(item: object) -> object:
    if not isinstance(item, dict):
        return item
    return {name: value for name, value in item.items() if name not in _NOT_TRADING}


def _plain(value: object) -> object:
    return [value.text] if isinstance(value, JsonNumber) else str(value)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
