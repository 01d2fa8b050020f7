"""Rules that an operator may tighten, for everyone or for one connector."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final, Literal

from worker.contract.decimals import by_value, wire_text
from worker.contract.hiding import shown
from worker.contract.order import ENTRY_ACTIONS, FUTURES_ACTIONS, SPOT_ACTIONS, OrderSignal
from worker.contract.position import PositionSyncSignal
from worker.errors import InvalidSignal

Market = Literal["spot", "futures"]

LARGEST_PERCENT: Final = Decimal(10_000)
"""More than this no operator can allow."""

_HUNDRED: Final = Decimal(100)
_ACTIONS_OF: Final = {"spot": SPOT_ACTIONS, "futures": FUTURES_ACTIONS}


@dataclass(frozen=True, slots=True)
class Rules:
    """What is allowed beyond the fixed rules of the contract.

    A lower `max_percent` caps entries only: an exit may always use 100 %, or a position could not be closed.
    """

    max_percent: Decimal = _HUNDRED
    """Largest `percent` of an entry, in percent of the available balance."""

    require_size: bool = False
    """Refuse an entry without `fixed`, `percent` and `notional` (the platform would use 100 %)."""

    max_bytes: int = 16_384
    """Largest signal, as JSON, in bytes of UTF-8."""

    market: Market | None = None
    """Refuse actions of the other market."""

    def lenient(self) -> Rules:
        """What may be said at all, for as long as it is not known whose rules count."""
        return _lenient(self.max_bytes)


@lru_cache(maxsize=16)
def _lenient(max_bytes: int) -> Rules:
    return Rules(max_percent=LARGEST_PERCENT, max_bytes=max_bytes)


DEFAULT_RULES: Final = Rules()


def check(signal: OrderSignal | PositionSyncSignal, rules: Rules) -> None:
    """Hold a valid signal against an operator's rules (except `max_bytes`, which `parse` checks).

    Raises `InvalidSignal`. Useful again once the connector is known and has rules of its own.
    """
    if isinstance(signal, OrderSignal):
        _check_market(signal, rules)
        _check_percent(signal, rules)
        _check_size(signal, rules)


def _check_market(signal: OrderSignal, rules: Rules) -> None:
    if rules.market is None:
        return
    for market, actions in _ACTIONS_OF.items():
        if signal.action in actions and market != rules.market:
            own = ", ".join(sorted(_ACTIONS_OF[rules.market]))
            raise InvalidSignal(
                f"`action` {signal.action} is for {market}, but this is a {rules.market} account: use {own}"
            )


def _check_percent(signal: OrderSignal, rules: Rules) -> None:
    percent = signal.percent
    if percent is None or percent <= _HUNDRED <= rules.max_percent:
        return
    limit = rules.max_percent if signal.action in ENTRY_ACTIONS else max(rules.max_percent, _HUNDRED)
    if percent > limit:
        value = shown(wire_text(percent), signal.connector_token)
        raise InvalidSignal(f"`percent` must be greater than 0 and at most {by_value(limit)}, got {value}")


def _check_size(signal: OrderSignal, rules: Rules) -> None:
    if not signal.implicit_full_size:
        return
    need = f"`{signal.action}` needs `fixed` or `percent`: without a size it would use 100 % of the balance"
    if rules.max_percent < _HUNDRED:
        raise InvalidSignal(f"{need}, and at most {by_value(rules.max_percent)} % are allowed")
    if rules.require_size:
        raise InvalidSignal(need)
