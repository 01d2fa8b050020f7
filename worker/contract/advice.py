"""Things that are legal and probably not meant: the warnings of a receipt."""

from __future__ import annotations

import re
from collections.abc import Iterator
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
    own = _order_warnings(signal) if isinstance(signal, OrderSignal) else _sync_warnings(signal)
    return (*own, *_common_warnings(signal))


def _order_warnings(signal: OrderSignal) -> Iterator[str]:
    if signal.implicit_full_size:
        yield f"`{signal.action}` names no `fixed` or `percent`: the platform uses 100 % of the balance"
    if signal.fixed is not None and signal.percent is not None:
        yield "`fixed` and `percent` are both present: the platform uses `fixed`"
    name = signal.client_order_id
    if name is not None and signal.action not in _CANCELS and _DIGIT(name) is None:
        yield (
            "`clientOrderId` has no digits: an id that repeats for every entry (TradingView's "
            "{{strategy.order.id}} does) makes later orders count as duplicates"
        )


def _sync_warnings(signal: PositionSyncSignal) -> Iterator[str]:
    mode, value = signal.entry_order.mode, signal.entry_order.value
    if mode not in KNOWN_MODES:
        name = shown(mode, signal.connector_token)
        yield f"`entryOrder.mode` {name} is not a known mode{did_you_mean(mode, KNOWN_MODES)}"
    if mode.endswith("Percent") and value > 100:
        yield "`entryOrder.value` is more than 100 %"
    position = signal.position
    if position.size is None or position.prev_side is None or position.prev_size is None:
        yield "`position` lacks `size`, `prev_side` or `prev_size`: the platform may not know what to trade"


def _common_warnings(signal: OrderSignal | PositionSyncSignal) -> Iterator[str]:
    token = signal.connector_token
    if token is not None and _UUID(token) is None:
        yield "`connectorToken` does not look like a UUID"
    if signal.delay_seconds_filter is not None and signal.delay_seconds is None:
        yield "`delaySecondsFilter` has no effect without `delaySeconds`"
