"""Reads what lies in Redis without trusting it: anybody may have written it, or half of it.

Nothing here raises for what it reads, and nothing returns a connector token.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from worker.contract.explain import ALL_FIELDS, NESTED_FIELDS
from worker.contract.hiding import masked, secrets_in
from worker.contract.shape import HIDDEN, SHORTEST_SECRET

_LARGEST = 10**15
"""Times and counts beyond this are nonsense, and would break the arithmetic of dates."""
_TOKEN = "connectorToken"  # noqa: S105 - the field's name
_VISIBLE_IDS = frozenset({"clientOrderId"})


def text(raw: object) -> str:
    """A text fit for JSON and terminals' encodings; bytes that are not UTF-8 become ``\\xff``."""
    if isinstance(raw, bytes):
        return raw.decode("utf-8", "backslashreplace")
    return "" if raw is None else str(raw)


def number(raw: object) -> int | None:
    """A whole number, or None for anything that is no sensible one."""
    try:
        value = int(raw) if isinstance(raw, bytes) else int(float(text(raw)))
    except (ValueError, OverflowError):
        return None
    return value if abs(value) <= _LARGEST else None


def counts(raw: object) -> dict[str, int]:
    """A hash of counters; those that are no numbers are left out."""
    if not isinstance(raw, Mapping):
        return {}
    found = {text(name): number(value) for name, value in raw.items()}
    return {name: value for name, value in found.items() if value is not None}


def load(raw: bytes) -> object:
    """The value of a JSON text; None if it is none, or not one that can be shown."""
    try:
        return json.loads(raw.decode(), object_pairs_hook=_object, parse_float=_decimal, parse_constant=str)
    except (ValueError, RecursionError):
        return None


def body(raw: bytes | None) -> dict[str, object] | None:
    """The signal as it lies in Redis, ``***`` for its token wherever that stands.

    None if it is no JSON object with each name once: then nobody can tell where the token ends. Values
    under names that no signal has count as secret, for a token under a misspelt name is one.
    """
    data = None if raw is None else load(raw)
    if not isinstance(data, dict):
        return None
    found = secrets_in(data, ALL_FIELDS, NESTED_FIELDS)
    return _without(data, ALL_FIELDS, [secret for secret in found if len(secret) >= SHORTEST_SECRET])


def _without(data: Mapping[str, Any], known: Collection[str], secrets: list[str]) -> dict[str, object]:
    shown: dict[str, object] = {}
    for name, value in data.items():
        if name not in known:
            shown[masked(name, secrets)] = HIDDEN
        elif name in NESTED_FIELDS and isinstance(value, dict):
            shown[name] = _without(value, NESTED_FIELDS[name], secrets)
        else:
            shown[name] = HIDDEN if name == _TOKEN else _value(name, value, secrets)
    return shown


def _value(name: str, value: object, secrets: list[str]) -> object:
    if isinstance(value, dict | list):
        return HIDDEN  # no such field holds one, so what is in it is unknown
    if name in _VISIBLE_IDS:
        # Its owner needs it to find the order, and many are UUIDs, as tokens are.
        return HIDDEN if any(secret in str(value) for secret in secrets) else value
    clean = masked(str(value), secrets)
    return value if clean == str(value) else clean


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = {_whole(name): _whole(value) for name, value in pairs}
    if len(fields) < len(pairs):
        raise ValueError("a name stands twice")
    return fields


def _whole(value: Any) -> Any:
    """Half of a surrogate pair survives JSON's escapes, but no terminal and no encoder."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _decimal(digits: str) -> float | str:
    """A float if that keeps every digit; otherwise the digits, for a size must not be shown rounded."""
    value = float(digits)
    return value if repr(value) == digits else digits
