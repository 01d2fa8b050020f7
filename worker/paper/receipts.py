"""What arrived at the paper endpoint, in order of arrival, and how it was answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from worker.paper.exact import parse_body
from worker.paper.secret import masked, secret_of


@dataclass(slots=True, eq=False)
class Receipt:
    """One POST to the webhook. Wall-clock times are Unix seconds, ``*_mono`` are time.monotonic().

    ``answered_*`` stay None while the answer is under way and if it never was sent in full.
    ``body`` and ``raw`` hold the token as it came; ``repr()`` and :meth:`view` do not.
    """

    number: int
    received_at: float
    received_mono: float
    connection: int
    raw: bytes = field(repr=False)
    headers: dict[str, str] = field(default_factory=dict)
    connector: str = ""
    action: str = ""
    client_order_id: str | None = None
    complete: bool = True
    placed: bool = False
    notes: tuple[str, ...] = ()
    mischief: str | None = None
    status: int | None = None
    answer: str | None = None
    answered_at: float | None = None
    answered_mono: float | None = None

    @property
    def body(self) -> dict[str, Any] | None:
        """The parsed body, None if it is not a JSON object.

        Parsed anew at each access: a million kept objects would cost gigabytes, their bytes do not.
        """
        try:
            return parse_body(self.raw)
        except ValueError:
            return None

    @property
    def answered(self) -> bool:
        """Whether the sender was sent a complete answer."""
        return self.answered_at is not None

    def view(self) -> dict[str, Any]:
        """As JSON-ready data, with every token masked; an unreadable body is left out for that reason."""
        body = self.body
        shown = {
            "number": self.number,
            "receivedAt": self.received_at,
            "connection": self.connection,
            "connector": self.connector,
            "action": self.action,
            "clientOrderId": self.client_order_id,
            "complete": self.complete,
            "placed": self.placed,
            "notes": list(self.notes),
            "mischief": self.mischief,
            "status": self.status,
            "answer": self.answer,
            "answeredAt": self.answered_at,
            "headers": self.headers,
            "bytes": len(self.raw),
            "body": body,
        }
        secret = secret_of(body)
        try:
            copy: dict[str, Any] = masked(shown, secret)
        except RecursionError:  # brackets nested by the hundred: no message, and no reason to lose the page
            copy = masked(shown | {"body": None}, secret)
        return copy


class ReceiptLog:
    """The receipts, numbered from 1; beyond ``limit`` the oldest are forgotten. Not locked."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: list[Receipt] = []
        self.total = 0
        self.by_connector: dict[str, int] = {}

    def add(self, receipt: Receipt) -> None:
        """Keep a receipt whose number is :meth:`next_number`."""
        self.total = receipt.number
        self._kept.append(receipt)
        self.by_connector[receipt.connector] = self.by_connector.get(receipt.connector, 0) + 1
        # In gulps: cutting the head of a list for every single receipt would copy all of it each time.
        if len(self._kept) >= self._limit + self._limit // 8 + 64:
            del self._kept[: -self._limit]

    def next_number(self) -> int:
        return self.total + 1

    def all(self) -> list[Receipt]:
        """A new list of what is kept, oldest first."""
        return self._kept[-self._limit :]

    def last(self, count: int) -> list[Receipt]:
        """The newest ``count``, newest first."""
        return self._kept[: -count - 1 : -1]

    def since(self, number: int, limit: int, connector: str | None = None) -> list[Receipt]:
        """Up to ``limit`` receipts with a greater number, oldest first."""
        wanted = (r for r in self._after(number) if connector is None or r.connector == connector)
        return [receipt for receipt, _ in zip(wanted, range(limit), strict=False)]

    def _after(self, number: int) -> Iterator[Receipt]:
        oldest = self.total - len(self._kept) + 1
        for index in range(max(0, number + 1 - oldest), len(self._kept)):
            yield self._kept[index]
