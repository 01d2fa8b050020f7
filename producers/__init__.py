"""Puts trading signals on the queue, from Python or with the command ``signal-producer``.

    with SignalProducer("redis://127.0.0.1:6379/0") as producer:
        receipt = producer.send({"connectorName": "BTC Trend", "action": "buy", "percent": "50", …})

``MemoryProducer`` is one for tests, without Redis:

>>> producer = MemoryProducer()
>>> order = {"connectorName": "BTC Trend", "connectorToken": "t", "action": "buy", "percent": "50"}
>>> receipt = producer.send({**order, "clientOrderId": "dip-1"})
>>> print(receipt.status)
accepted
>>> [(sent.signal.action.value, sent.id == receipt.id) for sent in producer.sent]
[('buy', True)]
"""

from __future__ import annotations

from producers.aio import AsyncSignalProducer
from producers.errors import Busy, Interrupted, NotSent
from producers.producer import SignalProducer
from producers.receipts import Receipt, Status
from producers.testing import MemoryProducer, Sent
from worker.errors import InvalidSignal, QueueUnavailable, QueueUnusable, SettingsError, SignalsError

__all__ = [
    "AsyncSignalProducer",
    "Busy",
    "Interrupted",
    "InvalidSignal",
    "MemoryProducer",
    "NotSent",
    "QueueUnavailable",
    "QueueUnusable",
    "Receipt",
    "Sent",
    "SettingsError",
    "SignalProducer",
    "SignalsError",
    "Status",
]
