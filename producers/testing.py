"""For the tests of code that sends signals: a producer without Redis, workers and endpoint.

>>> from producers import MemoryProducer
>>> with MemoryProducer() as producer:
...     receipt = producer.send(
...         {"connectorName": "BTC Trend", "connectorToken": "t", "action": "buy", "percent": "50"}
...     )
>>> receipt.status
<Status.ACCEPTED: 'accepted'>
>>> [sent.signal.action for sent in producer.sent]
[<Action.BUY: 'buy'>]
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from producers.memory import SCHEME, MemoryQueue, publish, withdraw
from producers.producer import SignalProducer
from worker.contract import Signal, parse
from worker.errors import SettingsError
from worker.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class Sent:
    """A signal that a worker would post."""

    id: str
    """As in its receipt."""
    signal: Signal
    due: float
    """When, in seconds of the producer's clock."""


class MemoryProducer(SignalProducer):
    """A SignalProducer that keeps what it is given, for tests.

    Validation, receipts, duplicates, conflicts and windows are the real ones, and so is what cancels and
    closes drop. It is as if workers posted everything the moment it is due, and the endpoint accepted it.

    Code that makes its own producer finds this one by its URL, as long as it is open:

    >>> import os
    >>> from producers import SignalProducer
    >>> with MemoryProducer("memory://orders") as outbox:
    ...     os.environ["SIGNALS_REDIS_URL"] = "memory://orders"  # in pytest: monkeypatch.setenv
    ...     with SignalProducer() as producer:
    ...         _ = producer.send({"connectorName": "a", "connectorToken": "t", "action": "cancelAll"})
    >>> del os.environ["SIGNALS_REDIS_URL"]
    >>> len(outbox.sent)
    1

    A clock of your own turns minutes into nothing:

    >>> now = 0.0
    >>> order = {"connectorName": "a", "connectorToken": "t", "action": "cancelAll"}
    >>> order |= {"action": "buy", "fixed": "1", "clientOrderId": "7"}
    >>> producer = MemoryProducer(clock=lambda: now)
    >>> producer.send({**order, "delaySeconds": 30}).due_in
    30.0
    >>> str(producer.send(order).status)
    'conflict'
    >>> now = 90_000.0  # a day is the window in which an id is known
    >>> str(producer.send(order).status)
    'accepted'
    >>> [sent.due for sent in producer.sent]
    [30.0, 90000.0]
    """

    def __init__(
        self,
        url: str = SCHEME,
        *,
        settings: Settings | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``url``: ``memory://`` and any name. Of several with the same the latest is found by it.

        ``settings``: default to the SIGNALS_… environment. ``clock``: seconds. Raises SettingsError.
        """
        if not url.startswith(SCHEME):
            raise SettingsError(f"a MemoryProducer's URL must start with {SCHEME}")
        settings = settings or load_settings(redis_url=url)
        self._url, self._rules = url, settings.rules()
        self._memory = MemoryQueue(clock, settings.lane_limit)
        super().__init__(url, settings=settings, queue=self._memory)
        publish(url, self._memory)

    @property
    def sent(self) -> list[Sent]:
        """What workers would post, in that order, if nothing else were sent; still there after ``close``."""
        return [
            Sent(entry.admission.id, parse(entry.admission.body, self._rules), entry.due_ms / 1000)
            for entry in self._memory.posted()
        ]

    def clear(self) -> None:
        """Forget what was sent, and all ids."""
        self._memory.clear()

    def close(self) -> None:
        """Be found by nobody any more. Calling it again does nothing; sending afterwards is an error."""
        withdraw(self._url, self._memory)
        super().close()
