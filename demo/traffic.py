"""A made-up day of a dozen accounts, and what must become of each signal."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from typing import Any

FUTURES = [
    "BTC Trend",
    "BTC Breakout",
    "ETH Swing",
    "ETH Scalper",
    "SOL Momentum",
    "BNB Reversal",
    "XRP Grid",
]
SPOT = ["Dip Buyer", "Blue Chips", "Monthly DCA", "Alt Basket", "Gold 2x"]
MISCHIEF = (
    "400:clientOrderId=refuse-1",
    "reset:clientOrderId=lost-1",
    "reset:clientOrderId=lost-close-1,first=1",
    "503:clientOrderId=busy-1,first=2",
    "503:p=0.04",
)
"""What the endpoint does wrong in the demo, as rules of ``signal-worker paper``."""


@dataclass(frozen=True)
class Step:
    """One signal, and what must become of it."""

    case: str
    signal: dict[str, Any]
    receipt: str = "accepted"
    outcome: str | None = "accepted"
    """None: it never gets as far as having one."""
    posts: int | None = 1
    """How often it must arrive with the order possibly taken; answers of 503 are not counted."""
    delay: float = 0.0
    """Seconds it must wait."""
    label: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    @property
    def connector(self) -> str:
        return str(self.signal.get("connectorName", "?"))

    def message(self) -> dict[str, Any]:
        """The signal as a producer sends it; its label in `log` finds it again at the endpoint."""
        return {**self.signal, "log": f"{self.signal.get('log', self.case)} #{self.label}"}


def a_day(seed: int = 7) -> list[list[Step]]:
    """Waves of signals, sent one after the other; the same every time but for the tokens."""
    chance = random.Random(seed)
    tokens = {name: str(uuid.UUID(int=chance.getrandbits(128), version=4)) for name in FUTURES + SPOT}
    maker = _Maker(tokens, chance)
    return [maker.morning(), maker.midday(), maker.specials(), maker.afternoon(), maker.evening()]


class _Maker:
    def __init__(self, tokens: dict[str, str], chance: random.Random) -> None:
        self._tokens = tokens
        self._chance = chance
        self._numbers = dict.fromkeys(tokens, 0)

    def morning(self) -> list[Step]:
        """Everybody enters, some with a delay."""
        steps = []
        for name in FUTURES:
            entry = self._step(name, "openLong", fixed=self._size(), profit="72000", loss="58000")
            add = self._step(name, "openLong", "scale in", percent="25")
            partial = self._step(name, "closeLong", "take half", percent="50")
            steps += [entry, add, partial]
        for name in SPOT:
            steps += [
                self._step(name, "buy", percent="30", limit="61250.5"),
                self._step(
                    name, "buy", "delayed buy", delay=self._chance.uniform(0.5, 2.5), fixed=self._size()
                ),
                self._step(name, "buy", percent="20"),
            ]
        self._chance.shuffle(steps)
        return steps

    def midday(self) -> list[Step]:
        """The busy hours: everybody scales in and out, four signals at a time."""
        steps = []
        for _ in range(2):
            for name in FUTURES:
                steps += [
                    self._step(name, "openLong", "scale in", fixed=self._size()),
                    self._step(name, "closeLong", "take half", percent="50", limit="64000"),
                ]
            for name in SPOT:
                steps += [
                    self._step(name, "buy", percent=str(self._chance.randint(5, 40))),
                    self._step(name, "sell", percent="50"),
                ]
        return steps

    def specials(self) -> list[Step]:
        """One of each thing that can happen to a signal."""
        once = self._step("BTC Trend", "openLong", "sent twice", fixed="0.5", clientOrderId="twice-1")
        wait = self._step("Dip Buyer", "buy", "cancelled while it waited", fixed="1", clientOrderId="late-1")
        return [
            once,
            Step("duplicate of it", {**once.signal}, receipt="duplicate", outcome=None, posts=0),
            Step(
                "same id, other size",
                {**once.signal, "fixed": "5"},
                receipt="conflict",
                outcome=None,
                posts=0,
            ),
            self._invalid("misspelt field", action="buy", perecnt="10"),
            self._invalid("unrendered template", action="buy", fixed="{{strategy.order.contracts}}"),
            self._invalid("take-profit on spot", action="buy", fixed="1", profit="2"),
            self._step("ETH Swing", "openLong", "filter matches", delay=1.5, log="open later", filter="open"),
            self._step(
                "ETH Swing", "openLong", "filter does not match", delay=0.0, log="now", filter="open", sent=9
            ),
            self._step("ETH Scalper", "closeLong", "reversal: close", percent="100"),
            self._step("ETH Scalper", "openShort", "reversal: open", fixed="2"),
            self._sync("SOL Momentum", "long", 1.5),
            self._sync("SOL Momentum", "flat", 0),
            Step(
                "waits a minute",
                self._delayed(wait.signal, 60),
                outcome="cancelled",
                posts=0,
                label=wait.label,
            ),
            self._step("Dip Buyer", "cancel", "cancel of it", clientOrderId="late-1"),
            self._step("XRP Grid", "cancelAll", "cancel all"),
            self._change(
                self._step("BNB Reversal", "openLong", "refused by the endpoint", clientOrderId="refuse-1"),
                outcome="rejected",
                posts=0,
            ),
            self._change(
                self._step(
                    "BNB Reversal", "openLong", "answer lost: held", fixed="1", clientOrderId="lost-1"
                ),
                outcome="unknown",
            ),
            self._change(
                self._step(
                    "BTC Breakout", "closeLong", "answer lost: close sent again", clientOrderId="lost-close-1"
                ),
                posts=2,
            ),
            self._step("Gold 2x", "buy", "endpoint busy: tried again", fixed="1", clientOrderId="busy-1"),
        ]

    def afternoon(self) -> list[Step]:
        """Reversals on every futures account: the close must go before the open."""
        steps = []
        for name in FUTURES:
            steps += [self._step(name, "closeLong"), self._step(name, "openShort", fixed=self._size())]
        return steps

    def evening(self) -> list[Step]:
        """Everybody goes home."""
        shorts = [self._step(name, "closeShort", percent="100") for name in FUTURES]
        return shorts + [self._step(name, "sell", percent="100") for name in SPOT]

    def _step(
        self,
        name: str,
        action: str,
        case: str | None = None,
        *,
        delay: float = 0.0,
        sent: float | None = None,
        filter: str | None = None,  # noqa: A002 - the word of the field
        **fields: str,
    ) -> Step:
        signal: dict[str, Any] = {
            "connectorName": name,
            "connectorToken": self._tokens[name],
            "action": action,
        }
        self._numbers[name] += 1
        if action not in ("cancel", "cancelAll"):
            signal["clientOrderId"] = f"{name.lower().replace(' ', '-')}-{self._numbers[name]}"
        signal |= fields
        if delay or sent:
            signal["delaySeconds"] = round(sent or delay, 2)
        if filter:
            signal["delaySecondsFilter"] = filter
        return Step(case or action, signal, delay=round(delay, 2), label=self._label())

    def _invalid(self, case: str, **fields: str) -> Step:
        name = self._chance.choice(SPOT)
        signal = {"connectorName": name, "connectorToken": self._tokens[name], **fields}
        return Step(case, signal, receipt="invalid", outcome=None, posts=0, label=self._label())

    def _sync(self, name: str, side: str, size: float) -> Step:
        signal = {
            "connectorName": name,
            "connectorToken": self._tokens[name],
            "entryOrder": {"mode": "FixedAssetTrade", "value": 100, "size": size, "price": 27000.5},
            "position": {
                "side": side,
                "size": size,
                "prev_side": "flat" if size else "long",
                "prev_size": 0 if size else 1.5,
            },
        }
        return Step(f"position sync to {side}", signal, label=self._label())

    def _delayed(self, signal: dict[str, Any], seconds: float) -> dict[str, Any]:
        return {**signal, "delaySeconds": seconds}

    def _change(self, step: Step, **expected: Any) -> Step:
        return Step(step.case, step.signal, label=step.label, **expected)

    def _size(self) -> str:
        return f"{self._chance.randint(1, 400) / 1000}"

    def _label(self) -> str:
        return f"{self._chance.getrandbits(32):08x}"
