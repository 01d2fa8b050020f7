"""One batch on its way into the queue: sent, and answered later."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Protocol, cast, runtime_checkable

from producers.admission import Prepared, receipt_for, refusal
from producers.receipts import Receipt
from worker import crash
from worker.clock import steady
from worker.errors import InvalidSignal
from worker.lanes import Admission, AdmitAnswer
from worker.ports import Bell


class Queue(Protocol):
    """The part of ``worker.lanes.Lanes`` that sending needs."""

    def admit(self, batch: Sequence[Admission], *, in_order: bool) -> AdmitAnswer: ...


class Begun(Protocol):
    """A batch that the queue was given; it is asked for the answer, or told that nobody wants it, once."""

    def answer(self) -> AdmitAnswer: ...
    def drop(self) -> None: ...


@runtime_checkable
class EarlyQueue(Queue, Protocol):
    """A queue that takes a batch while its sender does something else."""

    def begin(self, batch: Sequence[Admission], *, in_order: bool) -> Begun: ...


@cache  # to look a protocol over takes a tenth of what a single signal costs
def _takes_early(kind: type[Queue]) -> bool:
    return issubclass(kind, EarlyQueue)


class Sending:
    """A batch that has been checked. Calling it sends it and gives its receipts, in order.

    Or it is begun, and ended when there is nothing better to do: in between it is on its way.
    """

    def __init__(
        self, prepared: Sequence[Prepared | InvalidSignal], queue: Queue, bell: Bell, *, in_order: bool
    ) -> None:
        self._prepared = prepared
        self._queue = queue
        self._bell = bell
        self._in_order = in_order
        self._valid: list[Prepared] = []
        self._begun: Begun | None = None

    def __call__(self) -> list[Receipt]:
        """Raises QueueUnavailable or QueueUnusable; the batch may then have been taken all the same."""
        return self._receipts(self._admitted())

    def begin(self) -> None:
        """Send it, if the queue can do that early."""
        admissions = self._admissions()
        if admissions and _takes_early(type(self._queue)):
            self._begun = cast(EarlyQueue, self._queue).begin(admissions, in_order=self._in_order)

    def end(self) -> list[Receipt]:
        """The receipts, after ``begin``. Raises as calling it does."""
        if self._begun is None:
            return self()
        return self._receipts(self._begun.answer())

    def drop(self) -> None:
        """Whether it was taken nobody wants to know any more."""
        if self._begun is not None:
            self._begun.drop()

    def _admissions(self) -> list[Admission]:
        now = steady()
        self._valid = [item.held(now) for item in self._prepared if isinstance(item, Prepared)]
        return [item.admission for item in self._valid]

    def _admitted(self) -> AdmitAnswer | None:
        admissions = self._admissions()
        return self._queue.admit(admissions, in_order=self._in_order) if admissions else None

    def _receipts(self, answer: AdmitAnswer | None) -> list[Receipt]:
        if answer is None:
            return [refusal(item) for item in self._prepared if isinstance(item, InvalidSignal)]
        crash.here("admitted")
        if answer.rings:
            self._bell.ring(answer.rings)
        if answer.slots_ms:
            self._bell.wake(answer.slots_ms, answer.now_ms)
        pairs = zip(self._valid, answer.results, strict=True)
        receipts = [receipt_for(item, result) for item, result in pairs]
        if len(receipts) == len(self._prepared):
            return receipts
        told = iter(receipts)
        return [refusal(item) if isinstance(item, InvalidSignal) else next(told) for item in self._prepared]
