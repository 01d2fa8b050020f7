"""Numbers of a signal: exact, with the digits the sender wrote.

A price of ``1.50`` must leave as ``1.50``, and ``0.1`` must never pass through a binary float, so a number is
kept as a `decimal.Decimal` for comparing together with the text that goes on the wire.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Final, Self

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

MAX_DIGITS: Final = 60
"""Digits a number may have when written out; far beyond any price, and small enough never to cost time."""

MAX_EXPONENT: Final = 30
"""Largest power of ten a sender may write, so that ``1e999999999`` is refused before it is expanded."""

MAX_DELAY_SECONDS: Final = 604_800
"""Longest delay: one week."""

_SHAPE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(?:[eE]([+-]?[0-9]{1,3}))?").fullmatch
_LONGEST_TEXT: Final = MAX_DIGITS + len(".e+000")
_SHORT: Final = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,30})?").fullmatch
"""What most numbers look like: within all bounds, and written out already."""


class JsonNumber:
    """A number of a JSON document, still as the text that stood there (also ``NaN`` and ``Infinity``)."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


_new_decimal: Final = Decimal.__new__


class Number(Decimal):
    """A decimal that remembers its wire text; compares and calculates like any `Decimal`.

    ``Number("1.50") == Number("1.5")`` holds although their ``text`` differs.
    """

    __slots__ = ("text",)

    text: str

    def __new__(cls, text: str) -> Self:
        self = _new_decimal(cls, text)
        self.text = text
        return self

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.text,)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


def wire_text(value: Decimal) -> str:
    """The digits to send for a number; a bare `Decimal` is written out without an exponent."""
    return value.text if isinstance(value, Number) else format(value, "f")


def by_value(value: Decimal) -> str:
    """One spelling for all equal numbers: ``1.50``, ``1.5`` and ``15e-1`` all give ``1.5``."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _broken(rule: str) -> PydanticCustomError:
    return PydanticCustomError("rule", rule)


def _source_text(value: object, rule: str) -> str:
    """The sender's digits. Floats give their shortest exact text; huge ints are refused before printing."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, JsonNumber):
        return value.text
    if isinstance(value, bool):
        raise _broken(rule)
    if isinstance(value, int) and value.bit_length() <= 4 * MAX_DIGITS:
        return int.__repr__(value)
    if isinstance(value, float):
        return float.__repr__(value)
    if isinstance(value, Decimal):
        return wire_text(value) if isinstance(value, Number) else str(value)
    raise _broken(rule)


def _checked_text(value: object, rule: str) -> tuple[str, bool]:
    """The sender's digits and whether they use an exponent; refuses what is no number or absurdly long."""
    text = _source_text(value, rule)
    _check_digits(text, _LONGEST_TEXT, rule)
    shape = _SHAPE(text)
    if shape is None:
        raise _broken(rule)
    mantissa, exponent = shape.groups()
    _check_digits(mantissa, MAX_DIGITS + ("." in mantissa), rule)
    if exponent is not None and abs(int(exponent)) > MAX_EXPONENT:
        raise _broken(f"{rule}, with an exponent within ±{MAX_EXPONENT}")
    return text, exponent is not None


def _check_digits(text: str, most: int, rule: str) -> None:
    if len(text) > most:
        raise _broken(f"{rule}, with at most {MAX_DIGITS} digits")


def _plain(value: object, rule: str) -> Number:
    """A number written out without an exponent, otherwise digit for digit as given."""
    short = value.text if type(value) is JsonNumber else value
    if type(short) is str and _SHORT(short):
        return Number(short)
    text, has_exponent = _checked_text(value, rule)
    if has_exponent:
        text = format(Decimal(text), "f")
        _check_digits(text, MAX_DIGITS + ("." in text), rule)
    return Number(text)


def _literal(value: object, rule: str) -> Number:
    """A number whose text is a valid JSON number, digit for digit (leading zeros are not JSON)."""
    text, _ = _checked_text(value, rule)
    if text[0] == "0" and text[1:2].isdigit():
        text = text.lstrip("0")
        text = text if text[:1].isdigit() else f"0{text}"
    return Number(text)


_AMOUNT_RULE: Final = "must be a plain decimal greater than 0, such as 0.5"
_SIZE_RULE: Final = "must be a plain number of at least 0, such as 1.5"
_SECONDS_RULE: Final = f"must be a number of seconds from 0 to {MAX_DELAY_SECONDS}"


def amount(value: object) -> Number:
    """Validate an order's decimal (> 0); raises `PydanticCustomError`."""
    number = _plain(value, _AMOUNT_RULE)
    if not number:
        raise _broken(_AMOUNT_RULE)
    return number


def size(value: object) -> Number:
    """Validate a position sync's number (>= 0); raises `PydanticCustomError`."""
    return _literal(value, _SIZE_RULE)


def seconds(value: object) -> Number:
    """Validate a duration in seconds, at most a week; raises `PydanticCustomError`."""
    number = _literal(value, _SECONDS_RULE)
    if number > MAX_DELAY_SECONDS:
        raise _broken(_SECONDS_RULE)
    return number


_DECIMAL_PATTERN: Final = r"^[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$"

Amount = Annotated[
    Number,
    PlainValidator(amount),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": _DECIMAL_PATTERN},
                {"type": "number", "exclusiveMinimum": 0},
            ]
        }
    ),
]
"""An order's decimal: > 0, sent as a string with its digits unchanged and without an exponent."""

Size = Annotated[
    Number,
    PlainValidator(size),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": _DECIMAL_PATTERN}]}
    ),
]
"""A position sync's number: >= 0, sent as a JSON number with its digits unchanged."""

Seconds = Annotated[
    Number,
    PlainValidator(seconds),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": MAX_DELAY_SECONDS},
                {"type": "string", "pattern": _DECIMAL_PATTERN},
            ]
        }
    ),
]
"""A duration in seconds, 0 to a week, sent as a JSON number."""
