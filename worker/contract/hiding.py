"""Showing a sender's values in errors without ever showing a token.

The token may sit where it belongs, under a misspelt name, or copied into another field; so values are masked
before they are shortened, and the values of unknown fields count as secrets.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Final

from worker.contract.decimals import JsonNumber
from worker.contract.shape import HIDDEN, SHORTEST_SECRET

_UUID: Final = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_SHOWN_CHARACTERS: Final = 40
_DEEPEST: Final = 5
_MOST_SECRETS: Final = 50
_HUGE_BITS: Final = 200
_KINDS: Final[tuple[tuple[type | tuple[type, ...], str], ...]] = (
    (str, "a text"),
    (bool, "a boolean"),
    ((int, float, Decimal, JsonNumber), "a number"),
    (Mapping, "an object"),
    ((list, tuple), "a list"),
    (type(None), "null"),
)


def secrets_in(
    data: Mapping[str, object], known: Collection[str], nested: Mapping[str, Collection[str]]
) -> list[str]:
    """Texts of a raw signal that must not be shown: the token and everything under an unknown name."""
    found: list[str] = []
    for name, value in data.items():
        if len(found) >= _MOST_SECRETS:
            break
        if name not in known:
            found += leaves(value)
        elif name in nested and isinstance(value, Mapping):
            found += [leaf for key, item in value.items() if key not in nested[name] for leaf in leaves(item)]
    # The real field first; the rest is bounded, or a body full of unknown fields would cost minutes.
    return [*leaves(data.get("connectorToken")), *found][:_MOST_SECRETS]


def leaves(value: object, depth: int = 0) -> list[str]:
    """All texts and numbers inside a value, as texts; bounded in depth."""
    if depth > _DEEPEST:
        return []
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in leaves(item, depth + 1)]
    if isinstance(value, str):
        return [value]
    return [_digits(value)] if isinstance(value, int | float | Decimal | JsonNumber) else []


def masked(text: str, secrets: Iterable[str | None]) -> str:
    """The text without any of the secrets and without anything that looks like a UUID."""
    for secret in secrets:
        if secret and len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, HIDDEN)
    return _UUID.sub(HIDDEN, text)


def shown(value: object, *secrets: str | None) -> str:
    """A value for an error line: masked, shortened, on one line; containers are named, not shown."""
    if isinstance(value, str):
        return repr(_shortened(masked(value, secrets)))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal | JsonNumber):
        return _shortened(masked(_digits(value), secrets))
    return kind_of(value)


def label(name: object, *secrets: str | None) -> str:
    """A sender's field name for an error line, in backticks; a stray token may stand there too."""
    return f"`{shown(str(name), *secrets)[1:-1]}`"


def kind_of(value: object) -> str:
    """The JSON type of a value, for when the value itself may be a stray token."""
    return next((name for kind, name in _KINDS if isinstance(value, kind)), f"a {type(value).__name__}")


def _digits(value: float | Decimal | JsonNumber) -> str:
    if isinstance(value, JsonNumber):
        return value.text
    # Printing an int takes quadratic time, and Python refuses beyond a few thousand digits.
    return "a huge number" if isinstance(value, int) and value.bit_length() > _HUGE_BITS else str(value)


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def looks_like_token(text: str) -> bool:
    """Whether a text has the form that real connector tokens have."""
    return _UUID.fullmatch(text) is not None
