"""What makes two signals the same: a hash over their trading fields."""

from __future__ import annotations

import base64
import hashlib
import json
from decimal import Decimal
from typing import Final

from worker.contract.decimals import by_value
from worker.contract.order import OrderSignal
from worker.contract.position import EntryOrder, Position, PositionSyncSignal
from worker.contract.shape import Shape

_NOT_TRADING: Final = frozenset({"connector_token", "log"})
_HASH_BYTES: Final = 16


def _names_of(model: type[Shape]) -> tuple[tuple[str, str], ...]:
    """Attribute and JSON name of each trading field, sorted so that declaring them anew changes no hash."""
    fields = model.model_fields.items()
    return tuple(sorted((name, field.alias or name) for name, field in fields if name not in _NOT_TRADING))


_NAMES: Final[dict[type[Shape], tuple[tuple[str, str], ...]]] = {
    model: _names_of(model) for model in (OrderSignal, PositionSyncSignal, EntryOrder, Position)
}
_as_text: Final = json.JSONEncoder(separators=(",", ":")).encode


def fingerprint(signal: OrderSignal | PositionSyncSignal) -> str:
    """22 characters (128 bits, base64url) over all fields but token and log.

    Equal for signals that trade the same: decimals count by value, action aliases are equal, absent fields do
    not count. Kept in Redis next to the idempotency key, so its value must not change between releases.
    """
    digest = hashlib.blake2b(_as_text(_trading_fields(signal)).encode(), digest_size=_HASH_BYTES).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _trading_fields(shape: Shape) -> list[list[object]]:
    fields: list[list[object]] = []
    for name, alias in _NAMES[type(shape)]:
        value: object = getattr(shape, name)
        if value is not None:
            fields.append([alias, _comparable(value)])
    return fields


def _comparable(value: object) -> object:
    if isinstance(value, Decimal):
        return by_value(value)
    return _trading_fields(value) if isinstance(value, Shape) else value
