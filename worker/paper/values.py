"""How the single values of a misbehaviour rule are read; each reader raises ValueError with its rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any


def _words(text: str) -> str:
    if not text or "\r" in text or "\n" in text:
        raise ValueError("expected one line of text")
    return text


def _any_text(text: str) -> str:
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= len(text) <= 9 and int(text) > 0):
        raise ValueError("expected a whole number from 1")
    return int(text)


def _seconds(text: str) -> float:
    value = _float(text)
    if not 0 <= value <= 86_400:
        raise ValueError("expected seconds from 0 to 86400")
    return value


def _share(text: str) -> float:
    value = _float(text)
    if not 0 <= value <= 1:
        raise ValueError("expected a probability from 0 to 1")
    return value


def _float(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError("expected a number") from None
    if not isfinite(value):
        raise ValueError("expected a finite number")
    return value


def _flag(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError("expected true or false")
    return text == "true"


def _redirection(text: str) -> int:
    if text not in {"301", "302", "303", "307", "308"}:
        raise ValueError("expected 301, 302, 303, 307 or 308")
    return int(text)


READERS: Mapping[str, Callable[[str], Any]] = {
    "connector": _words,
    "action": _words,
    "clientOrderId": _words,
    "nth": _count,
    "first": _count,
    "p": _share,
    "place": _flag,
    "status": _redirection,
    "retry_after": _words,
    "body": _any_text,
    "seconds": _seconds,
    "every": _seconds,
    "size": _count,
    "location": _words,
    "min": _seconds,
    "max": _seconds,
}
