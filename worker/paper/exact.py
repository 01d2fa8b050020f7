"""JSON whose numbers keep their digits."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, NoReturn

_DECIMAL = re.compile(r"[0-9]{1,32}(\.[0-9]{1,32})?", re.ASCII)


def parse_body(raw: bytes) -> dict[str, Any]:
    """The JSON object in ``raw``; numbers with a fraction become exact decimals.

    Raises ValueError with a one-line reason (which never quotes the body).
    """
    try:
        body = json.loads(raw.decode("utf-8"), parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError, ArithmeticError):
        raise ValueError("the body is not valid JSON") from None
    if not isinstance(body, dict):
        raise ValueError("the body is not a JSON object")  # noqa: TRY004 - the input is bad, not the caller
    return body


def plain_decimal(value: object) -> Decimal | None:
    """``value`` as a non-negative decimal of at most 32+32 digits; None if it is anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    if isinstance(value, Decimal):
        # Written out in full an exponent of a million is a megabyte: look at its size first.
        value = format(value, "f") if abs(value.adjusted()) <= 32 else ""
    text = str(value)
    return Decimal(text) if _DECIMAL.fullmatch(text) else None


def number(value: object) -> Decimal | None:
    """As :func:`plain_decimal`, but a string is no number."""
    return None if isinstance(value, str) else plain_decimal(value)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
