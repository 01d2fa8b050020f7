"""What the core needs of the outside, and nothing more of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, runtime_checkable

from worker.records import CheckoutAnswer, DeferAnswer, Deferral, SettleAnswer, Settlement, WakeAnswer
from worker.verdict import Attempt


class Queue(Protocol):
    """The lanes, for whoever works on them; ``worker.lanes.Lanes`` is one."""

    def checkout(self, lanes: Iterable[str], token: str) -> CheckoutAnswer: ...
    def settle(self, batch: Sequence[Settlement]) -> SettleAnswer: ...
    def defer(self, batch: Sequence[Deferral]) -> DeferAnswer: ...


class Calendar(Protocol):
    """The lanes, for whoever looks after their times; ``worker.lanes.Lanes`` is one."""

    def wake(self) -> WakeAnswer: ...
    def sweep(self, every_ms: int) -> WakeAnswer: ...


class Poster(Protocol):
    """Posts a body once and never raises; ``worker.delivery.Courier`` is one."""

    deadline: float
    """Seconds that a post takes at most."""

    def post(self, body: bytes, *, may_begin: Callable[[], bool]) -> Attempt: ...


class Bell(Protocol):
    """Tells the workers that there is something to do; never raises. ``worker.rings.CeleryBell`` is one."""

    def ring(self, lanes: Sequence[str]) -> Sequence[str]:
        """These lanes have work. Gives those back for which nobody could be told."""
        ...

    def wake(self, slots_ms: Sequence[int], now_ms: int) -> None:
        """At these times (ms of the Redis clock, which says ``now_ms``) something falls due."""
        ...


@runtime_checkable
class WrittenBell(Bell, Protocol):
    """A bell whose rings the queue can send by itself, in the very call that finds who is to be rung."""

    def message(self) -> str:
        """A ring, with places for names and a number."""
        ...
