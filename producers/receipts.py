"""What a sender is told about each signal."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """What became of a signal that was sent. Compares equal to its name."""

    ACCEPTED = "accepted"
    """It is in the queue, and will end in exactly one outcome."""
    DUPLICATE = "duplicate"
    """The same signal is already known under this id; it is not posted again."""
    CONFLICT = "conflict"
    """The id belongs to a different signal; this one is not posted."""
    FULL = "full"
    """Too many signals of its connector wait; nothing was enqueued, it may be sent again later."""
    INVALID = "invalid"
    """It breaks the contract; nothing was enqueued."""


_OK = (Status.ACCEPTED, Status.DUPLICATE)


@dataclasses.dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one signal. Never contains a connector token.

    >>> from producers import MemoryProducer
    >>> order = {"connectorName": "a", "connectorToken": "t", "action": "buy", "clientOrderId": "7"}
    >>> with MemoryProducer() as producer:
    ...     first, again, other = producer.send([order, order, {**order, "fixed": "1"}])
    >>> first.ok, first.id is not None
    (True, True)
    >>> again.ok, str(again.status), again.first_id == first.id
    (True, 'duplicate', True)
    >>> other.ok, str(other.status)
    (False, 'conflict')
    """

    status: Status
    id: str | None = None
    """The name to ask for the signal by; None unless it was accepted."""
    connector: str | None = None
    """None if the signal is invalid."""
    error: str | None = None
    """Why it was refused, in one line."""
    first_id: str | None = None
    """The signal that held the id already (duplicate, conflict)."""
    state: str | None = None
    """State or outcome of that first signal: `waiting`, `delayed`, `sending`, `accepted`, …"""
    warnings: tuple[str, ...] = ()
    """Legal, but probably not meant; one line each."""
    due_in: float = 0.0
    """Seconds until it is due, of an accepted signal; 0: at once."""

    @property
    def ok(self) -> bool:
        """Whether the signal is in good hands: accepted now, or known already."""
        return self.status in _OK

    def as_dict(self) -> dict[str, Any]:
        """All fields and ``ok``, fit for JSON."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**fields, "status": self.status.value, "ok": self.ok, "warnings": list(self.warnings)}
