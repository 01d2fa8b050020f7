"""One connector of the paper endpoint: its orders and its position. Pure, no I/O, no lock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Context, Decimal
from typing import Any

from worker.paper.reading import CANCEL_ALL_ACTIONS, FUTURES_ACTIONS, SPOT_ACTIONS, Instruction

NOMINAL_BALANCE = Decimal(100)  # so that a position reads as percent of the balance
HISTORY = 1000  # instructions kept per connector; the counters go on

_HUNDRED = Decimal(100)
_ZERO = Decimal(0)
_STEP = Decimal("1e-8")
# Amounts have up to 64 digits; with the default 28 a close could leave dust or grow a position.
_EXACT = Context(prec=200)
# action -> what it changes, and whether it enters
_SIDES = {
    "buy": ("spot", True),
    "sell": ("spot", False),
    "openLong": ("long", True),
    "closeLong": ("long", False),
    "openShort": ("short", True),
    "closeShort": ("short", False),
}


@dataclass(slots=True, eq=False)
class Order:
    """One placed instruction. Times are Unix seconds; ``amount`` is what was filled, in base units.

    state: scheduled (delayed by the endpoint), open (resting limit order), filled, cancelled,
    done (a cancel or a sync that took effect).
    """

    number: int
    asked: Instruction
    placed_at: float
    effective_at: float
    state: str = "scheduled"
    amount: Decimal = _ZERO

    def view(self) -> dict[str, Any]:
        """As JSON-ready data."""
        asked = self.asked
        amounts = {name: getattr(asked, name) for name in ("fixed", "percent", "limit", "profit", "loss")}
        return {
            "number": self.number,
            "action": asked.action,
            "clientOrderId": asked.client_order_id,
            "state": self.state,
            "amount": format(self.amount, "f"),
            "placedAt": self.placed_at,
            "effectiveAt": self.effective_at,
            **{name: format(value, "f") for name, value in amounts.items() if value is not None},
        }


@dataclass(slots=True)
class Account:
    """One connector. ``spot``, ``long`` and ``short`` are sizes in base units, never negative."""

    name: str
    held: dict[str, Decimal] = field(default_factory=lambda: {"spot": _ZERO, "long": _ZERO, "short": _ZERO})
    resting: dict[int, Order] = field(default_factory=dict)
    history: deque[Order] = field(default_factory=lambda: deque(maxlen=HISTORY))
    orders: int = 0
    cancels: int = 0
    unknown: int = 0
    scheduled: int = 0
    doubled: int = 0
    markets: set[str] = field(default_factory=set)
    last_action: str = ""
    last_at: float = 0.0
    placed_ids: dict[str, int] = field(default_factory=dict)

    @property
    def spot(self) -> Decimal:
        return self.held["spot"]

    @property
    def long(self) -> Decimal:
        return self.held["long"]

    @property
    def short(self) -> Decimal:
        return self.held["short"]

    @property
    def flat(self) -> bool:
        return not any(self.held.values())

    @property
    def open_orders(self) -> list[Order]:
        return list(self.resting.values())

    def register(self, order: Order) -> None:
        """Count an instruction at its arrival, whether or not it takes effect later."""
        asked = order.asked
        self.history.append(order)
        self.last_action, self.last_at = asked.action, order.placed_at
        if asked.action == "cancel" or asked.action in CANCEL_ALL_ACTIONS:
            self.cancels += 1
            return
        self.orders += 1
        if asked.is_sync or asked.action in FUTURES_ACTIONS:
            self.markets.add("futures")
        elif asked.action in SPOT_ACTIONS:
            self.markets.add("spot")
        else:
            self.unknown += 1
        if asked.client_order_id is not None:
            before = self.placed_ids.get(asked.client_order_id, 0)
            self.placed_ids[asked.client_order_id] = before + 1
            self.doubled += before > 0

    def take_effect(self, order: Order) -> None:
        """Let an instruction act on the position and the resting orders."""
        asked = order.asked
        if asked.action == "cancel":
            self._cancel([o for o in self.open_orders if o.asked.client_order_id == asked.client_order_id])
            order.state = "done"
        elif asked.action in CANCEL_ALL_ACTIONS:
            self._cancel(self.open_orders)
            order.state = "done"
        elif asked.is_sync:
            self.held["long"] = asked.size if asked.side == "long" else _ZERO
            self.held["short"] = asked.size if asked.side == "short" else _ZERO
            order.state = "done"
        elif asked.limit is not None:
            self.resting[order.number] = order
            order.state = "open"
        else:
            self._fill(order)

    def _cancel(self, orders: list[Order]) -> None:
        for order in orders:
            order.state = "cancelled"
            del self.resting[order.number]

    def _fill(self, order: Order) -> None:
        order.state = "filled"
        if order.asked.action not in _SIDES:
            return  # an order of a side nobody can tell: counted, but no position to book it on
        what, enters = _SIDES[order.asked.action]
        held = self.held[what]
        if enters:
            order.amount = _share(NOMINAL_BALANCE, order.asked)
            self.held[what] = _EXACT.add(held, order.amount)
        else:
            order.amount = min(held, _share(held, order.asked))
            self.held[what] = _EXACT.subtract(held, order.amount)

    def view(self, *, history: bool = False) -> dict[str, Any]:
        """As JSON-ready data; with ``history`` the last instructions too."""
        seen: dict[str, Any] = {
            "name": self.name,
            "markets": sorted(self.markets),
            "position": {what: format(size, "f") for what, size in self.held.items()},
            "openOrders": [order.view() for order in self.open_orders],
            "scheduled": self.scheduled,
            "orders": self.orders,
            "cancels": self.cancels,
            "unknownActions": self.unknown,
            "doubled": self.doubled,
            "lastAction": self.last_action,
            "lastAt": self.last_at,
        }
        if history:
            seen["history"] = [order.view() for order in self.history]
        return seen


def _share(whole: Decimal, asked: Instruction) -> Decimal:
    if asked.fixed is not None:
        return asked.fixed
    if asked.percent is None or asked.percent == _HUNDRED:
        return whole  # not multiplied and rounded: "all of it" must leave exactly nothing
    product = _EXACT.divide(_EXACT.multiply(whole, asked.percent), _HUNDRED)
    return product.quantize(_STEP, ROUND_DOWN, context=_EXACT)
