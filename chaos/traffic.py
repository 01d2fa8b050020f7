"""What the senders send: an endless stream of parcels, the same for the same seed. Pure.

It knows by itself what each signal is (its class, what it drops, when it expires), so that the judge does
not have to ask the code on trial. Every sender walks the whole stream and sends its own parcels, so a sender
that was killed finds its place again, and one can repeat what another has sent.
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

TOKEN_MARK = "s3cr3t-"  # noqa: S105 - how a token is recognised where it should not be
HOT, COLD = 4, 60
"""Accounts with a signal every few hundred milliseconds, and accounts with one now and then."""
_REMEMBERED = 200


@dataclass(frozen=True, slots=True)
class Item:
    """One signal, and what there is to know about it."""

    number: int
    connector: str
    action: str
    action_class: str
    fields: dict[str, Any]
    """The signal without account, token and log."""
    key: str | None = None
    delay: float = 0.0
    drops: str | None = None
    valid: bool = True

    @property
    def order_id(self) -> str | None:
        """The id it places an order under."""
        return None if self.action_class == "cancel" else self.fields.get("clientOrderId")

    @property
    def target(self) -> str | None:
        return self.fields.get("clientOrderId") if self.action == "cancel" else None

    @property
    def claims(self) -> bool:
        """Whether sending it again under another id is safe."""
        return self.order_id is not None or self.key is not None

    @property
    def content(self) -> str:
        return json.dumps([self.connector, self.fields], sort_keys=True)

    def signal(self, log: str) -> dict[str, Any]:
        """As a sender sends it."""
        who = {"connectorName": self.connector, "connectorToken": token_of(self.connector), "log": log}
        return {**who, **self.fields}


@dataclass(frozen=True, slots=True)
class Parcel:
    """Signals that a sender hands over in one call."""

    sender: int
    items: tuple[Item, ...]
    max_age: float | None = None
    renames: bool = False
    """A repetition takes new ids, as ``send`` does; otherwise the same, as ``load`` does."""


def token_of(connector: str) -> str:
    return f"{TOKEN_MARK}{random.Random(connector).getrandbits(64):016x}"


def connectors() -> list[str]:
    return [f"hot {n}" for n in range(HOT)] + [f"cold {n}" for n in range(COLD)]


def id_of(number: int, attempt: int) -> str:
    """The id of a signal when it is sent for the ``attempt``-th time, from 1."""
    return f"{number:07}.{attempt}"


def traffic(seed: int, senders: int) -> Iterator[Parcel]:
    """Parcels without end."""
    maker = _Maker(seed)
    chance = random.Random(f"parcels/{seed}")
    while True:
        size = 1 if chance.random() < 0.8 else chance.randint(2, 12)
        yield Parcel(
            sender=chance.randrange(senders),
            items=tuple(maker.item() for _ in range(size)),
            max_age=chance.uniform(0.3, 3.0) if chance.random() < 0.08 else None,
            renames=chance.random() < 0.5,
        )


@dataclass
class _Maker:
    seed: int
    made: int = 0
    recent: deque[Item] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    """Signals with an id, to be repeated."""
    resting: deque[Item] = field(default_factory=lambda: deque(maxlen=50))
    """Delayed orders, to be cancelled."""

    def __post_init__(self) -> None:
        self._chance = random.Random(f"traffic/{self.seed}")
        self._names = connectors()

    def item(self) -> Item:
        self.made += 1
        (make,) = self._chance.choices(list(_KINDS), list(_KINDS.values()))
        item = make(self)
        if item.valid and item.claims:
            self.recent.append(item)
        if item.delay and item.order_id:
            self.resting.append(item)
        return item

    def entry(self, **more: Any) -> Item:
        name = self._connector()
        action = "buy" if _is_spot(name) else self._chance.choice(["openLong", "openShort"])
        size = self._chance.choice([{"fixed": self._size()}, {"percent": str(self._chance.randint(1, 100))}])
        return self._item(name, action, "entry", {**size, **self._id(), **more})

    def nameless_entry(self) -> Item:
        item = self.entry()
        fields = {k: v for k, v in item.fields.items() if k not in ("action", "clientOrderId")}
        return self._item(item.connector, item.action, "entry", fields)

    def delayed_entry(self) -> Item:
        return self.entry(delaySeconds=self._delay())

    def not_delayed_entry(self) -> Item:
        return self.entry(delaySeconds=60, delaySecondsFilter="no log says this")

    def keyed_entry(self) -> Item:
        item = self.nameless_entry()
        fields = {k: v for k, v in item.fields.items() if k != "action"}
        return self._item(item.connector, item.action, "entry", fields, key=f"key {self.made}")

    def partial(self, **more: Any) -> Item:
        name = self._connector()
        sizes = [{"fixed": self._size()}, {"percent": str(self._chance.randint(1, 99))}]
        size = self._chance.choice([*sizes, {"percent": "100", "limit": "64000"}])
        return self._item(name, self._exit(name), "partial", {**size, **self._id(), **more})

    def delayed_partial(self) -> Item:
        return self.partial(delaySeconds=self._delay())

    def full(self) -> Item:
        name = self._connector()
        size = self._chance.choice([{}, {"percent": "100"}])
        return self._item(name, self._exit(name), "full", {**size, **self._id()})

    def cancel(self) -> Item:
        if not self.resting:
            return self.delayed_entry()
        order = self._chance.choice(self.resting)
        named = {"clientOrderId": order.fields["clientOrderId"]}
        return self._item(order.connector, "cancel", "cancel", named)

    def cancel_all(self) -> Item:
        return self._item(self._connector(), "cancelAll", "cancel", {})

    def sync(self) -> Item:
        before, after = self._chance.choice([(0.0, 1.5), (1.5, 2.5), (2.5, 1.0), (1.0, 0.0)])
        side, kind = ("long", "entry") if after > before else ("long", "partial")
        if not after:
            side, kind = "flat", "full"
        position = {
            "side": side,
            "size": after,
            "prev_side": "long" if before else "flat",
            "prev_size": before,
        }
        entry = {"mode": "FixedAssetTrade", "value": 100, "size": after, "price": 27000.5}
        return self._item(
            self._connector(), "positionSync", kind, {"entryOrder": entry, "position": position}
        )

    def twin(self) -> Item:
        """A deliberate duplicate of what this or another sender has sent, or is about to send."""
        if not self.recent:
            return self.entry()
        first = self._chance.choice(self.recent)
        fields = {k: v for k, v in first.fields.items() if k != "action"}
        return self._item(first.connector, first.action, first.action_class, fields, key=first.key)

    def conflict(self) -> Item:
        """The id of another signal on a different one."""
        item = self.twin()
        if item.action == "positionSync" or item.action_class == "cancel":
            return item
        fields = {k: v for k, v in item.fields.items() if k not in ("action", "percent", "limit")}
        kind = "entry" if item.action_class == "entry" else "partial"
        fields["fixed"] = f"{self._size()}77"
        return self._item(item.connector, item.action, kind, fields, key=item.key)

    def invalid(self) -> Item:
        name = self._connector()
        wrong = self._chance.choice(
            [{"perecnt": "10"}, {"percent": "a lot"}, {"fixed": "{{size}}"}, {"percent": "101"}]
        )
        return self._item(name, "buy" if _is_spot(name) else "openLong", "entry", wrong, valid=False)

    def _item(
        self, name: str, action: str, kind: str, fields: dict[str, Any], key: str | None = None, **more: Any
    ) -> Item:
        if action != "positionSync":
            fields = {"action": action, **fields}
        delay = 0.0 if "delaySecondsFilter" in fields else float(fields.get("delaySeconds", 0))
        drops = _DROPS.get(action)
        if "fixed" in fields or fields.get("percent", "100") != "100":
            drops = None  # only a whole close leaves nothing that a later open of its side could be meant for
        return Item(self.made, name, action, kind, fields, key=key, delay=delay, drops=drops, **more)

    def _connector(self) -> str:
        hot = self._chance.random() < 0.35
        return self._names[self._chance.randrange(HOT) if hot else self._chance.randrange(HOT, HOT + COLD)]

    def _exit(self, name: str) -> str:
        return "sell" if _is_spot(name) else self._chance.choice(["closeLong", "closeShort"])

    def _id(self) -> dict[str, str]:
        return {"clientOrderId": f"order-{self.made}"}

    def _size(self) -> str:
        return f"{self._chance.randint(1, 4000) / 1000}"

    def _delay(self) -> float:
        return round(self._chance.uniform(0.2, 5.0), 2)


_DROPS = {"cancel": "order", "cancelAll": "all", "closeLong": "openLong", "closeShort": "openShort"}


def _is_spot(name: str) -> bool:
    return int(name.rsplit(" ", 1)[1]) % 3 == 0


_KINDS = {
    _Maker.entry: 30,
    _Maker.nameless_entry: 10,
    _Maker.delayed_entry: 12,
    _Maker.not_delayed_entry: 1,
    _Maker.keyed_entry: 5,
    _Maker.partial: 12,
    _Maker.delayed_partial: 4,
    _Maker.full: 9,
    _Maker.cancel: 4,
    _Maker.cancel_all: 1,
    _Maker.sync: 6,
    _Maker.twin: 6,
    _Maker.conflict: 2,
    _Maker.invalid: 2,
}
