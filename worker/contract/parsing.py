"""The way in: bytes or dicts become signals, or an error of one line."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, TypeAlias

from pydantic import ValidationError

from worker.contract.explain import (
    ALL_FIELDS,
    NESTED_FIELDS,
    ORDER_FIELDS,
    SYNC_FIELDS,
    explain,
    hidden,
    unknown_field,
)
from worker.contract.hiding import kind_of, label, looks_like_token
from worker.contract.order import OrderSignal
from worker.contract.position import PositionSyncSignal
from worker.contract.reading import RepeatedField, decode, utf8
from worker.contract.rules import DEFAULT_RULES, Rules, check
from worker.contract.serial import stored
from worker.errors import InvalidSignal

Signal: TypeAlias = OrderSignal | PositionSyncSignal
"""Either message shape: `action` makes an order signal, `position` a position sync."""

_Body: TypeAlias = bytes | bytearray | memoryview | str
_MOST_FIELDS: Final = 100
"""More than any signal has. Beyond, pydantic would write an error for each, and one is enough."""
_BODY_TYPES: Final = (bytes, bytearray, memoryview, str)

_SYNC_ONLY: Final = frozenset(SYNC_FIELDS) - frozenset(ORDER_FIELDS)
_ORDER_ONLY: Final = frozenset(ORDER_FIELDS) - frozenset(SYNC_FIELDS)

_FIXED_BYTES: Final = 4096
"""More than all fields but the two free texts can take together in JSON."""

_LONGEST_CHARACTER: Final = 6
"""Bytes of the longest escape of one character in JSON."""


def parse(data: _Body | Mapping[str, object], rules: Rules = DEFAULT_RULES) -> Signal:
    """Validate one signal from a JSON body or a mapping with the JSON names.

    Numbers keep their digits; ``None`` counts as absent. Raises `InvalidSignal`: one line that names field,
    offending value and rule, never the token.
    """
    if isinstance(data, _BODY_TYPES):
        raw = utf8(data)
        _check_bytes(len(raw), rules)
        return _signal(decode(raw), rules)
    return _signal(data, rules)


def parse_many(
    data: _Body | Mapping[str, object] | Sequence[object], rules: Rules = DEFAULT_RULES
) -> list[Signal | InvalidSignal]:
    """Validate a JSON array, JSON lines, a single object or a Python list; one result per item, in order.

    A bad item is an `InvalidSignal` in its place and does not stop the others. A body that cannot be cut into
    items gives a single error. `Rules.max_bytes` bounds each signal; the size of the whole is the caller's.
    """
    if isinstance(data, _BODY_TYPES):
        return [_attempt(item, rules) for item in split(data)]
    items = data if isinstance(data, list | tuple) else [data]
    return [_attempt(item, rules) for item in items]


def split(body: _Body, most: int | None = None) -> list[Mapping[str, object] | InvalidSignal]:
    """Cut a JSON array, JSON lines or a single object into objects, not looked at any further.

    What is none is an `InvalidSignal` in its place. At most ``most`` and one more are given: enough to see
    that there are too many.
    """
    end = None if most is None else most + 1
    raw = utf8(body)
    try:
        whole = decode(raw)
    except InvalidSignal as error:
        lines = [line for line in raw.splitlines() if line.strip()]
        return [_read(line) for line in lines[:end]] if _are_signals(lines) else [error.with_traceback(None)]
    return [_object(item) for item in (whole[:end] if isinstance(whole, list) else [whole])]


def _are_signals(lines: list[bytes]) -> bool:
    """Whether a body that is no JSON document is one document a line; a cut-off array is not."""
    if len(lines) < 2 or lines[0].lstrip().startswith(b"["):
        return False
    return any(line.lstrip().startswith(b"{") for line in lines[1:]) or lines[0].rstrip().endswith(b"}")


def _read(line: bytes) -> Mapping[str, object] | InvalidSignal:
    try:
        return _object(decode(line))
    except InvalidSignal as error:
        return error.with_traceback(None)


def _object(value: object) -> Mapping[str, object] | InvalidSignal:
    if isinstance(value, dict | Mapping):  # a dict is known at once
        return value
    return InvalidSignal(f"a signal must be a JSON object, not {kind_of(value)}")


def _attempt(item: object, rules: Rules) -> Signal | InvalidSignal:
    if isinstance(item, InvalidSignal):
        return item
    try:
        return parse(item, rules)  # type: ignore[arg-type]  # it refuses what is no signal by itself
    except InvalidSignal as error:
        return error.with_traceback(None)


def _signal(value: object, rules: Rules) -> Signal:
    data = _object(value)
    if isinstance(data, InvalidSignal):
        raise data
    fields = data if isinstance(data, dict) else dict(data)
    signal = _validated(fields)
    if looks_like_token(signal.connector_name):
        # A name is shown everywhere and names keys: a token pasted into it would be no secret any more.
        raise InvalidSignal("`connectorName` looks like a token: it must be the name of the account")
    check(signal, rules)
    texts = len(signal.log or "") + len(signal.delay_seconds_filter or "")
    if _LONGEST_CHARACTER * texts + _FIXED_BYTES > rules.max_bytes:
        _check_bytes(len(stored(signal)), rules)
    return signal


def _validated(fields: dict[str, object]) -> Signal:
    _check_repeated(fields)
    _check_many(fields)
    is_order, is_sync = fields.get("action") is not None, fields.get("position") is not None
    if is_order is is_sync:
        raise InvalidSignal(_no_single_shape(fields, is_order))
    model = OrderSignal if is_order else PositionSyncSignal
    other_shape = _SYNC_ONLY if is_order else _ORDER_ONLY
    if not other_shape.isdisjoint(fields):
        fields = {
            name: value for name, value in fields.items() if value is not None or name not in other_shape
        }
    try:
        # What `model_validate` does, without looking for what it can be told besides.
        signal: Signal = model.__pydantic_validator__.validate_python(fields)
    except ValidationError as error:
        problem = explain(error, fields)
    else:
        return signal
    # Raised here, not in the handler, so that no exception holding the token is chained to it.
    raise InvalidSignal(problem)


def _check_repeated(fields: dict[str, object]) -> None:
    for value in (fields, fields.get("entryOrder"), fields.get("position")):
        if isinstance(value, RepeatedField):
            raise InvalidSignal(hidden(f"{label(value.field)} stands twice in one object", fields))


def _check_many(fields: dict[str, object]) -> None:
    _check_number((), fields, ALL_FIELDS, fields)
    for name, known in NESTED_FIELDS.items():
        if name in fields:
            _check_number((name,), fields[name], known, fields)


def _check_number(
    path: tuple[str, ...], value: object, known: Collection[str], fields: dict[str, object]
) -> None:
    if isinstance(value, dict | Mapping) and len(value) > _MOST_FIELDS:
        unknown = next(name for name in value if name not in known)
        problem = unknown_field((*path, unknown), fields)
        raise InvalidSignal(hidden(f"{problem} (one of {len(value)} fields)", fields))


def _no_single_shape(fields: dict[str, object], both: bool) -> str:
    if both:
        return "`action` and `position` exclude each other: a signal is an order or a position sync"
    unknown = [name for name in fields if name not in ALL_FIELDS]
    if unknown:
        return hidden(unknown_field((unknown[0],), fields), fields)
    return "`action` is required (or `position`, for a position sync)"


def _check_bytes(size: int, rules: Rules) -> None:
    if size > rules.max_bytes:
        raise InvalidSignal(f"the signal has {size} bytes, the limit is {rules.max_bytes}")
