"""What the core tells whoever watches. It knows neither metrics nor logs; those listen here."""

from __future__ import annotations

from collections.abc import Sequence

from worker.records import CircuitChange, Ended, Head, Held
from worker.verdict import Attempt


class Observer:
    """Told of everything that happens; called from many threads, must be quick and never raise.

    A subclass says what it listens to; the rest it passes over.
    """

    def taken(self, *, waited: float) -> None:
        """A lane was taken in hand, ``waited`` seconds after it was rung."""

    def attempted(self, head: Head, attempt: Attempt, *, late: float) -> None:
        """A POST was made. ``late``: seconds between the due time and its start."""

    def retried(self, head: Head, why: str, delay: float) -> None:
        """The signal keeps its place and is tried again after ``delay`` seconds."""

    def ended(self, ended: Ended) -> None:
        """A signal reached its outcome; told once, by the process whose call wrote it."""

    def swept(self, *, leases_expired: int, rings_lost: int) -> None:
        """A sweep found workers that went silent, or rings that nobody answered."""

    def circuit(self, change: CircuitChange) -> None:
        """An endpoint begins or ceases to count as out of order; told once, by the process that found out."""

    def paused(self, held: Held) -> None:
        """What people hold back has changed; told by every worker."""

    def trouble(self, what: str, error: Exception) -> None:
        """Something failed that is tried again by itself."""


class Observers(Observer):
    """Several observers as one."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def taken(self, *, waited: float) -> None:
        for observer in self._observers:
            observer.taken(waited=waited)

    def attempted(self, head: Head, attempt: Attempt, *, late: float) -> None:
        for observer in self._observers:
            observer.attempted(head, attempt, late=late)

    def retried(self, head: Head, why: str, delay: float) -> None:
        for observer in self._observers:
            observer.retried(head, why, delay)

    def ended(self, ended: Ended) -> None:
        for observer in self._observers:
            observer.ended(ended)

    def swept(self, *, leases_expired: int, rings_lost: int) -> None:
        for observer in self._observers:
            observer.swept(leases_expired=leases_expired, rings_lost=rings_lost)

    def circuit(self, change: CircuitChange) -> None:
        for observer in self._observers:
            observer.circuit(change)

    def paused(self, held: Held) -> None:
        for observer in self._observers:
            observer.paused(held)

    def trouble(self, what: str, error: Exception) -> None:
        for observer in self._observers:
            observer.trouble(what, error)
