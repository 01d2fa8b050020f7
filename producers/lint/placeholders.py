"""TradingView's placeholders: which there are, and what they may become."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

PATTERN: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
DYNAMIC: Final = "computed"
"""Stands for what a script computes. Not TradingView's: see ``producers.lint.pine``."""

_NUMBERS: Final = {
    "close": "27000.5",
    "open": "26990.5",
    "high": "27010.5",
    "low": "26980.5",
    "volume": "12.5",
    "strategy.order.contracts": "1.5",
    "strategy.order.price": "27000.5",
    "strategy.position_size": "1.5",
    "strategy.market_position_size": "1.5",
    "strategy.prev_market_position_size": "0",
}
_TEXTS: Final = {
    "ticker": "BTCUSDT",
    "exchange": "BINANCE",
    "interval": "60",
    "time": "2026-01-02T03:04:00Z",
    "timenow": "2026-01-02T03:04:05Z",
    "syminfo.currency": "USDT",
    "syminfo.basecurrency": "BTC",
    "strategy.order.action": "buy",
    "strategy.order.id": "Long",
    "strategy.market_position": "long",
    "strategy.prev_market_position": "flat",
}
FREE: Final = ("strategy.order.comment", "strategy.order.alert_message")
"""What the script says: it may be anything."""
KNOWN: Final = (*_NUMBERS, *_TEXTS, *FREE, "plot_0", 'plot("…")')

LONG: Final[Mapping[str, str]] = {**_NUMBERS, **_TEXTS}
"""What they become when a long position is entered."""
SHORT: Final[Mapping[str, str]] = {
    **LONG,
    "strategy.order.action": "sell",
    "strategy.order.id": "Short",
    "strategy.position_size": "-1.5",
    "strategy.market_position": "short",
}
"""When a short one is."""

NEW_EACH_TIME: Final = frozenset({"time", "timenow", DYNAMIC, *FREE})
"""What may differ from alert to alert even if everything else is the same."""

_PLOT: Final = re.compile(r"plot_[0-9]{1,2}|plot\(\s*(\"[^\"]*\"|'[^']*')\s*\)").fullmatch
_KEY: Final = re.compile(r'"(\w+)"\s*:\s*"?[^"]*$')
_BY_FIELD: Final = {"action": "openLong", "side": "long", "prev_side": "flat", "mode": "totalBalancePercent"}


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One that stands in a template."""

    name: str
    start: int
    """Characters of the template before it."""
    quoted: bool
    """It stands inside a JSON text."""

    @property
    def is_known(self) -> bool:
        return self.name in LONG or self.name in FREE or self.name == DYNAMIC or is_plot(self.name)

    @property
    def is_number(self) -> bool:
        return self.name in _NUMBERS or self.name == "interval" or is_plot(self.name)


def is_plot(name: str) -> bool:
    return _PLOT(name) is not None


def rendered(template: str, samples: Mapping[str, str]) -> tuple[str, tuple[Placeholder, ...]]:
    """The template with its placeholders filled in, and what stood there."""
    found: list[Placeholder] = []
    parts: list[str] = []
    quoted, at = False, 0
    for match in PATTERN.finditer(template):
        before = template[at : match.start()]
        quoted ^= _quotes(before) % 2 == 1
        parts.append(before)
        found.append(Placeholder(match[1].strip(), match.start(), quoted))
        parts.append(_sample(match[1].strip(), "".join(parts[-4:]), samples))
        at = match.end()
    parts.append(template[at:])
    return "".join(parts), tuple(found)


def _quotes(text: str) -> int:
    return len(re.findall(r'(?<!\\)(?:\\\\)*"', text))


def _sample(name: str, before: str, samples: Mapping[str, str]) -> str:
    if name in samples:
        return samples[name]
    key = _KEY.search(before[-200:])
    return _BY_FIELD.get(key[1], "1") if key else "1"
