"""The paper endpoint without its sockets: receipts, book and misbehaviour under one lock."""

from __future__ import annotations

import hmac
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from worker.paper.book import Book
from worker.paper.chooser import Choice, Chooser
from worker.paper.mischief import Mischief, Rule
from worker.paper.reading import Reading, read
from worker.paper.receipts import Receipt, ReceiptLog


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do about a recorded request; ``status`` and ``text`` are the well-behaved answer."""

    receipt: Receipt
    status: int
    text: str
    choice: Choice


class Desk:
    """All state of a paper endpoint. Every method may be called from any thread."""

    def __init__(
        self,
        *,
        mischief: Mischief,
        latency: tuple[float, float],
        tokens: Mapping[str, str],
        seed: int | None,
        max_receipts: int,
    ) -> None:
        self._seed = random.randrange(2**32) if seed is None else seed
        self._latency = latency
        self._tokens = dict(tokens)
        self._max_receipts = max_receipts
        self._changed = threading.Condition(threading.RLock())
        self._mischief = mischief
        self.reset()

    def reset(self) -> None:
        """Forget receipts, book and the rules' counts, but keep the rules themselves."""
        with self._changed:
            self._book = Book()
            self._log = ReceiptLog(self._max_receipts)
            self._chooser = Chooser(self._mischief, self._seed, self._latency)

    @property
    def mischief(self) -> Mischief:
        return self._mischief

    @mischief.setter
    def mischief(self, mischief: Mischief) -> None:
        with self._changed:
            self._mischief = mischief
            self._chooser = Chooser(mischief, self._seed, self._latency)

    @property
    def book(self) -> Book:
        """The live book, brought up to the present."""
        with self._changed:
            self._book.advance(time.time())
            return self._book

    @property
    def receipts(self) -> list[Receipt]:
        """A new list of the kept receipts, in order of arrival."""
        with self._changed:
            return self._log.all()

    def before_body(self) -> Rule | None:
        """The rule, if any, that ends a request whose body has not been read."""
        if not self._mischief.rules:
            return None
        with self._changed:
            return self._chooser.before_body()

    def record_half(
        self, raw: bytes, headers: dict[str, str], connection: int, mischief: str | None = None
    ) -> Receipt:
        """Record a request of which not everything was received; it never places an order."""
        with self._changed:
            receipt = self._receipt(raw, headers, connection)
            receipt.complete, receipt.mischief = False, mischief
            self._keep(receipt)
            return receipt

    def take(self, raw: bytes, headers: dict[str, str], connection: int) -> Verdict:
        """Record a whole request, decide how to answer it, and place its order if that is the decision."""
        reading = read(raw)
        status, text = self._judge(reading)
        with self._changed:
            receipt = self._receipt(raw, headers, connection)
            receipt.connector, receipt.action = reading.connector, reading.action
            receipt.client_order_id, receipt.notes = reading.client_order_id, reading.notes
            choice = self._chooser.choose(reading.connector, reading.action, reading.client_order_id or "")
            rule, receipt.mischief = choice.rule, choice.label
            if rule is not None and rule.effect == "reset_early":
                receipt.complete, receipt.raw = False, raw[: len(raw) // 2]
            if status == 200 and reading.instruction is not None and (rule is None or rule.place):
                self._book.place(reading.instruction, receipt.received_at)
                receipt.placed = True
            self._keep(receipt)
            return Verdict(receipt, status, text, choice)

    def finish(self, receipt: Receipt, status: int, answer: str) -> None:
        """Note that the answer is complete (called just before its last byte is sent)."""
        with self._changed:
            receipt.status, receipt.answer = status, answer[:200]
            receipt.answered_at, receipt.answered_mono = time.time(), time.monotonic()
            self._changed.notify_all()

    def unfinish(self, receipt: Receipt) -> None:
        """Note that the last byte could not be sent after all."""
        with self._changed:
            receipt.status = receipt.answer = receipt.answered_at = receipt.answered_mono = None

    def wait_until(self, done: Callable[[], bool], timeout: float) -> bool:
        """Wait until ``done()`` holds; False after ``timeout`` seconds. Nothing arrives while it is asked."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not done():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                # Woken by arrivals and answers; a delayed order takes effect without either.
                self._changed.wait(min(left, 0.05))
            return True

    def summary(self) -> dict[str, Any]:
        """Everything but the single receipts, as JSON-ready data."""
        with self._changed:
            accounts = [self._account_view(name) for name in self._log.by_connector if name]
            return {
                "receipts": self._log.total,
                "doubled": self._book.doubled,
                "mischief": self._mischief.as_json(),
                "connectors": sorted(accounts, key=lambda account: str(account["name"])),
            }

    def account(self, name: str) -> dict[str, Any] | None:
        """One connector with its last instructions, as JSON-ready data; None if nothing came for it."""
        with self._changed:
            return self._account_view(name, history=True) if name in self._log.by_connector else None

    def views(self, since: int, limit: int, connector: str | None) -> dict[str, Any]:
        """A page of masked receipts; ``next`` is the ``since`` of the following page."""
        with self._changed:
            receipts = self._log.since(since, limit, connector)
            total = self._log.total
        following = receipts[-1].number if receipts else max(since, 0)
        return {"receipts": [receipt.view() for receipt in receipts], "next": following, "total": total}

    def newest(self, count: int) -> list[dict[str, Any]]:
        """The masked newest receipts, newest first."""
        with self._changed:
            return [receipt.view() for receipt in self._log.last(count)]

    def _account_view(self, name: str, *, history: bool = False) -> dict[str, Any]:
        account = self.book.account(name)
        return {**account.view(history=history), "receipts": self._log.by_connector[name]}

    def _judge(self, reading: Reading) -> tuple[int, str]:
        if reading.problem is not None:
            return 400, reading.problem
        expected = self._tokens.get(reading.connector)
        if expected is None or hmac.compare_digest(
            expected.encode(), reading.token.encode("utf-8", "surrogatepass")
        ):
            return 200, "ok"
        return 401, "connectorToken does not fit connectorName"

    def _receipt(self, raw: bytes, headers: dict[str, str], connection: int) -> Receipt:
        # Numbered and timed in one step under the lock, so that both tell the same order of arrival.
        return Receipt(self._log.next_number(), time.time(), time.monotonic(), connection, raw, headers)

    def _keep(self, receipt: Receipt) -> None:
        self._log.add(receipt)
        self._changed.notify_all()
