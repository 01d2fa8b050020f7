"""Things that are legal and probably not meant: the warnings of a receipt."""

from __future__ import annotations

import re
from typing import Final

from worker.contract.explain import did_you_mean
from worker.contract.hiding import shown
from worker.contract.order import Action, OrderSignal
from worker.contract.position import KNOWN_MODES, PositionSyncSignal

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}").fullmatch
_DIGIT: Final = re.compile(r"[0-9]").search
_CANCELS: Final = frozenset({Action.CANCEL, Action.CANCEL_ALL})


def warnings(signal: OrderSignal | PositionSyncSignal) -> tuple[str, ...]:
    """One line for each suspicious thing about a valid signal; never contains the token."""
    found: list[str] = []  # no generators: it is asked for every signal, and there is hardly ever anything
    if isinstance(signal, OrderSignal):
        _about_order(signal, found)
    else:
        _about_sync(signal, found)
    token = signal.connector_token
    if token is not None and _UUID(token) is None:
        found.append("`connectorToken` does not look like a UUID")
    if signal.delay_seconds_filter is not None and signal.delay_seconds is None:
        found.append("`delaySecondsFilter` has no effect without `delaySeconds`")
    return tuple(found)


def _about_order(signal: OrderSignal, found: list[str]) -> None:
    if signal.implicit_full_size:
        found.append(
            f"`{signal.action}` names no `fixed` or `percent`: the platform uses 100 % of the balance"
        )
    if signal.fixed is not None and signal.percent is not None:
        found.append("`fixed` and `percent` are both present: the platform uses `fixed`")
    name = signal.client_order_id
    if name is not None and _DIGIT(name) is None and signal.action not in _CANCELS:
        found.append(
            "`clientOrderId` has no digits: an id that repeats for every entry (TradingView's "
            "{{strategy.order.id}} does) makes later orders count as duplicates"
        )


def _about_sync(signal: PositionSyncSignal, found: list[str]) -> None:
    mode, value = signal.entry_order.mode, signal.entry_order.value
    if mode not in KNOWN_MODES:
        name = shown(mode, signal.connector_token)
        found.append(f"`entryOrder.mode` {name} is not a known mode{did_you_mean(mode, KNOWN_MODES)}")
    if mode.endswith("Percent") and value > 100:
        found.append("`entryOrder.value` is more than 100 %")
    position = signal.position
    if position.size is None or position.prev_side is None or position.prev_size is None:
        found.append(
            "`position` lacks `size`, `prev_side` or `prev_size`: the platform may not know what to trade"
        )
