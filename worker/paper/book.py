"""What the connectors of the paper endpoint would hold. Pure, no I/O, no lock.

There is no market here. A market order is filled at once; a limit order rests until it is
cancelled. An entry's ``percent`` is a share of a constant nominal balance, not of what is left
of it, so that an order placed twice shows as a position of twice the size.

The book never drops a repeated clientOrderId: an exchange only refuses it among *open* orders.
"""

from __future__ import annotations

import heapq

from worker.paper.account import Account, Order
from worker.paper.reading import Instruction


class Book:
    """All connectors. The caller serialises access and brings the time (Unix seconds)."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self._placed = 0
        self._later: list[tuple[float, int, Order]] = []

    @property
    def doubled(self) -> int:
        """Orders of all connectors that repeat a clientOrderId already placed there."""
        return sum(account.doubled for account in self.accounts.values())

    def account(self, name: str) -> Account:
        """The connector of that name; an empty one, not kept, if nothing was placed there."""
        return self.accounts.get(name) or Account(name)

    def place(self, asked: Instruction, now: float) -> Order:
        """Take one instruction; a delayed one acts at ``now + delay`` (see :meth:`advance`)."""
        self.advance(now)
        account = self.accounts.setdefault(asked.connector, Account(asked.connector))
        self._placed += 1
        order = Order(self._placed, asked, now, now + asked.delay)
        account.register(order)
        if asked.delay > 0:
            account.scheduled += 1
            heapq.heappush(self._later, (order.effective_at, order.number, order))
        else:
            account.take_effect(order)
        return order

    def advance(self, now: float) -> None:
        """Let everything that is due by ``now`` take effect, in order of its time."""
        while self._later and self._later[0][0] <= now:
            order = heapq.heappop(self._later)[2]
            account = self.accounts[order.asked.connector]
            account.scheduled -= 1
            account.take_effect(order)
