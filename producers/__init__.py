"""Puts trading signals on the queue, from Python or with the command ``signal-producer``.

with SignalProducer("redis://127.0.0.1:6379/0") as producer:
    receipt = producer.send({"connectorName": "alpha", "action": "buy", "percent": "50"})
"""

from __future__ import annotations

from producers.aio import AsyncSignalProducer
from producers.errors import Busy, Interrupted, NotSent
from producers.producer import SignalProducer
from producers.receipts import Receipt
from worker.errors import InvalidSignal, QueueUnavailable, SignalsError

__all__ = [
    "AsyncSignalProducer",
    "Busy",
    "Interrupted",
    "InvalidSignal",
    "NotSent",
    "QueueUnavailable",
    "Receipt",
    "SignalProducer",
    "SignalsError",
]
