"""The way from the routes to the queue, and what its troubles mean over HTTP."""

from __future__ import annotations

from collections.abc import Sequence

from producers.aio import AsyncSignalProducer, Wish
from producers.errors import Busy, Interrupted, NotSent
from producers.gateway.gauges import Gauges
from producers.gateway.problems import Problem
from producers.receipts import Receipt
from worker.clock import steady
from worker.errors import SignalsError

_AGAIN = {"Retry-After": "1"}


class NotKnown(Problem):
    """Redis' answer is lost: the signals may have been taken."""

    def __init__(self, receipts: Sequence[Receipt]) -> None:
        super().__init__(
            504,
            "it is not known whether the signals were taken: repeating the request is safe with the same"
            " Idempotency-Key or clientOrderId, and may double orders without",
            headers=_AGAIN,
        )
        self.receipts = receipts
        """Those that are certain: of the first signals."""


class Intake:
    """Hands signals to the queue and waits for their receipts, but not longer than ``deadline`` seconds."""

    def __init__(self, producer: AsyncSignalProducer, gauges: Gauges, *, deadline: float) -> None:
        self.producer = producer
        self._gauges = gauges
        self._deadline = deadline

    async def admit(self, wishes: Sequence[Wish], *, asked: float | None = None) -> list[Receipt]:
        """A receipt each. Raises Problem 503 if certainly nothing was taken, else NotKnown.

        ``asked``: since when (of ``steady``) the deadline counts, if not from now.
        """
        spent = 0.0 if asked is None else steady() - asked
        try:
            receipts = await self.producer.admit(wishes, patience=self._deadline - spent)
        except NotSent as error:
            self._gauges.refused("busy" if isinstance(error, Busy) else "unavailable", len(wishes))
            text = "nothing was taken: the queue is not to be reached; try again"
            raise Problem(503, text, headers=_AGAIN) from error
        except SignalsError as error:
            certain = error.receipts if isinstance(error, Interrupted) else []
            self._gauges.refused("unknown", len(wishes) - len(certain))
            self._gauges.admitted(certain)
            raise NotKnown(certain) from error
        self._gauges.admitted(receipts)
        return receipts
