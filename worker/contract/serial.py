"""The way out: what is kept in Redis (`stored`) and what is posted (`wire`).

Written by hand from the decimals' own texts, because a JSON library would send numbers through floats.
"""

from __future__ import annotations

from collections.abc import Callable
from json.encoder import encode_basestring as _as_utf8
from json.encoder import encode_basestring_ascii as _as_ascii
from typing import Final

from worker.contract.decimals import wire_text
from worker.contract.order import OrderSignal
from worker.contract.position import EntryOrder, Position, PositionSyncSignal
from worker.contract.shape import Shape
from worker.errors import InvalidSignal

_Quote = Callable[[str], str]
_Members = tuple[tuple[str, str], ...]

_DELAY: Final = frozenset({"delay_seconds", "delay_seconds_filter"})


def _members_of(model: type[Shape]) -> _Members:
    return tuple((name, f'"{field.alias or name}":') for name, field in model.model_fields.items())


_MEMBERS: Final[dict[type[Shape], _Members]] = {
    model: _members_of(model) for model in (OrderSignal, PositionSyncSignal, EntryOrder, Position)
}
_WITHOUT_DELAY: Final = {
    model: tuple(member for member in members if member[0] not in _DELAY)
    for model, members in _MEMBERS.items()
}


def stored(signal: OrderSignal | PositionSyncSignal) -> bytes:
    """Canonical JSON (compact, fixed field order, UTF-8) with everything, token and delay included.

    ``parse(stored(signal)) == signal``, and equal signals that were written alike give equal bytes.
    """
    return sealed(signal, signal.connector_token)


def sealed(signal: OrderSignal | PositionSyncSignal, token: str | None) -> bytes:
    """Like `stored`, with this token, or none, in place of the signal's own."""
    return _object(signal, _MEMBERS[type(signal)], token, _as_utf8).encode()


def wire(
    signal: OrderSignal | PositionSyncSignal, *, token: str | None = None, keep_delay: bool = False
) -> bytes:
    """The body to POST: compact ASCII JSON, the given ``token`` in place of the signal's own.

    The delay fields are left out unless ``keep_delay``, or the platform would delay a second time. An order's
    decimals are strings, a position sync's are numbers, digits unchanged. Raises `InvalidSignal` when neither
    the signal nor the caller has a token.
    """
    token = token or signal.connector_token
    if not token:
        raise InvalidSignal("`connectorToken` is required")
    members = _MEMBERS if keep_delay else _WITHOUT_DELAY
    return _object(signal, members[type(signal)], token, _as_ascii).encode()


def _object(
    signal: OrderSignal | PositionSyncSignal,
    members: _Members,
    token: str | None,
    quote: _Quote,
) -> str:
    values = {**vars(signal), "connector_token": token}
    numbers = '"' if isinstance(signal, OrderSignal) else ""
    parts: list[str] = []
    for name, prefix in members:
        value = values[name]
        if value is None:
            continue
        if isinstance(value, str):
            parts.append(prefix + quote(value))
        elif isinstance(value, Shape):
            parts.append(prefix + _nested(value, quote))
        else:
            mark = "" if name == "delay_seconds" else numbers
            parts.append(f"{prefix}{mark}{wire_text(value)}{mark}")
    return "{" + ",".join(parts) + "}"


def _nested(shape: Shape, quote: _Quote) -> str:
    parts: list[str] = []
    for name, prefix in _MEMBERS[type(shape)]:
        value = getattr(shape, name)
        if value is not None:
            parts.append(prefix + (quote(value) if isinstance(value, str) else wire_text(value)))
    return "{" + ",".join(parts) + "}"
