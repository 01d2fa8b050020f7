"""Keeps connector tokens out of everything that is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MASK = "***"
_SHORTEST = 8  # characters; masking a toy token such as "t" would shred every word with a t in it


def secret_of(body: Mapping[str, Any] | None) -> str | None:
    """The token of a message, if it is worth hiding wherever it occurs.

    One that equals the connector's name is not: the name is public, and accounts must stay apart.
    """
    token = body.get("connectorToken") if body else None
    if body is None or not isinstance(token, str) or len(token) < _SHORTEST:
        return None
    return None if token == body.get("connectorName") else token


def hide(text: str, secret: str | None) -> str:
    """``text`` with ``***`` in place of the secret."""
    return text if secret is None else text.replace(secret, MASK)


def masked(value: Any, secret: str | None) -> Any:
    """A copy of JSON-like data with ``***`` for every token field and wherever else the secret occurs."""
    if isinstance(value, dict):
        return {
            hide(key, secret): MASK if "token" in key.lower() else masked(item, secret)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [masked(item, secret) for item in value]
    return hide(value, secret) if isinstance(value, str) else value
