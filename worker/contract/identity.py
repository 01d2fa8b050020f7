"""What makes two signals the same: a hash over their trading fields."""

from __future__ import annotations

import hashlib
from binascii import b2a_base64
from decimal import Decimal
from json.encoder import encode_basestring_ascii as _quoted
from typing import Final

from worker.contract.decimals import by_value
from worker.contract.order import OrderSignal
from worker.contract.position import EntryOrder, Position, PositionSyncSignal
from worker.contract.shape import Shape

_NOT_TRADING: Final = frozenset({"connector_token", "log"})
_HASH_BYTES: Final = 16
_HASH_TEXT: Final = 22
"""Characters of its base64, without the padding."""
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


def _names_of(model: type[Shape]) -> tuple[tuple[str, str], ...]:
    """Each trading field and how it begins, sorted so that declaring them anew changes no hash."""
    fields = sorted(model.model_fields.items())
    return tuple((name, f'["{field.alias or name}",') for name, field in fields if name not in _NOT_TRADING)


_NAMES: Final[dict[type[Shape], tuple[tuple[str, str], ...]]] = {
    model: _names_of(model) for model in (OrderSignal, PositionSyncSignal, EntryOrder, Position)
}


def fingerprint(signal: OrderSignal | PositionSyncSignal) -> str:
    """22 characters (128 bits, base64url) over all fields but token and log.

    Equal for signals that trade the same: decimals count by value, action aliases are equal, absent fields do
    not count. Kept in Redis next to the idempotency key, so its value must not change between releases.
    """
    digest = hashlib.blake2b(_trading_fields(signal).encode(), digest_size=_HASH_BYTES).digest()
    return b2a_base64(digest, newline=False)[:_HASH_TEXT].translate(_URL_SAFE).decode()


def _trading_fields(shape: Shape) -> str:
    """Names and values as a JSON array of pairs."""
    values = vars(shape)  # quicker than asking for each attribute
    pairs: list[str] = []
    for name, start in _NAMES[type(shape)]:
        value = values[name]
        if value is None:
            continue
        if isinstance(value, str):
            pairs.append(f"{start}{_quoted(value)}]")
        elif isinstance(value, Decimal):
            pairs.append(f'{start}"{by_value(value)}"]')
        else:
            pairs.append(f"{start}{_trading_fields(value)}]")
    return f"[{','.join(pairs)}]"
