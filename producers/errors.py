"""What a producer adds to the tree in ``worker.errors``.

SignalsError
├── Interrupted              a send stopped part-way; ``receipts`` tells how far it came
│   ├── InterruptedUnavailable   … is a QueueUnavailable too: try again
│   │   └── InterruptedUnreached     … is a NotSent too: Redis was never reached
│   └── InterruptedUnusable      … is a QueueUnusable too: mend Redis first
└── NotSent                  a send of which certainly nothing was taken; is a QueueUnavailable
    └── Busy                     … because too many wait for their turn already
"""

from __future__ import annotations

from collections.abc import Sequence

from producers.receipts import Receipt
from worker.errors import QueueUnavailable, QueueUnreached, QueueUnusable, SignalsError


class Interrupted(SignalsError):
    """A send stopped part-way.

    ``receipts`` are certain: one for each of the first signals of the call, in order. The signals after them
    may or may not have been taken; repeating those with the same clientOrderId or idempotency key is safe.
    If it is a NotSent as well, there are no receipts, and nothing was taken.

    >>> from producers import SignalProducer
    >>> from worker.settings import load_settings
    >>> nobody = load_settings(redis_url="redis://127.0.0.1:1", redis_patience=0.1)
    >>> order = {"connectorName": "a", "connectorToken": "t", "action": "buy", "clientOrderId": "7"}
    >>> with SignalProducer(settings=nobody) as producer:
    ...     try:
    ...         producer.send(order)
    ...     except Interrupted as error:
    ...         print(f"{len(error.receipts)} are certain; what came after may be sent again")
    0 are certain; what came after may be sent again
    """

    receipts: list[Receipt]

    def __init__(self, text: str, receipts: Sequence[Receipt] = ()) -> None:
        super().__init__(text)
        self.receipts = list(receipts)


class InterruptedUnavailable(Interrupted, QueueUnavailable):
    """Redis did not answer in time."""


class InterruptedUnusable(Interrupted, QueueUnusable):
    """Redis refuses."""


class NotSent(QueueUnavailable):
    """Nothing of the send was taken, for certain: sending again is safe under any id or none."""


class InterruptedUnreached(InterruptedUnavailable, NotSent):
    """Redis was not reached, by none of the tries."""


class Busy(NotSent):
    """More signals wait for their turn in this process than may."""


def cut_short(error: QueueUnavailable | QueueUnusable, receipts: Sequence[Receipt]) -> Interrupted:
    """As ``interrupted``, for a send of which nothing has begun but the call that raised ``error``."""
    if not isinstance(error, QueueUnreached):
        return interrupted(error, receipts)
    if not receipts:
        return InterruptedUnreached(f"{_reason(error)}; nothing was sent")
    text = f"{_reason(error)}; {len(receipts)} signals have their receipts, the others were not sent"
    return InterruptedUnavailable(text, receipts)


def interrupted(error: QueueUnavailable | QueueUnusable, receipts: Sequence[Receipt]) -> Interrupted:
    """The error for a send that ``error`` cut short after ``receipts``."""
    rest = f"{len(receipts)} signals have their receipts, the others" if receipts else "what was sent"
    text = (
        f"{_reason(error)}; {rest} may or may not have been taken: sending again is safe with the same"
        " clientOrderId or idempotency key, and may double orders without"
    )
    kind = InterruptedUnavailable if isinstance(error, QueueUnavailable) else InterruptedUnusable
    return kind(text, receipts)


def _reason(error: QueueUnavailable | QueueUnusable) -> str:
    reason = " ".join(str(error).split()).rstrip(".")
    return f"{reason} (is SIGNALS_REDIS_URL right?)" if isinstance(error, QueueUnavailable) else reason


class LoadError(SignalsError):
    """A file cannot be loaded, or not be gone on with: says why and what to do."""
