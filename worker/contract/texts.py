"""Texts of a signal: names, tokens, ids and free text, each with its rule.

Every text refuses NUL and lone surrogates (neither survives JSON, Redis and logs alike) and ``{{``, which
means that the alert was sent before its template was filled in.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

_FORBIDDEN: Final = re.compile("[\x00\ud800-\udfff]|\\{\\{").search
_BREAKS_LINES: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]").search
_CLIENT_ORDER_ID: Final = re.compile("[!-~](?:[ -~]{0,62}[!-~])?").fullmatch


def _broken(rule: str) -> PydanticCustomError:
    return PydanticCustomError("rule", rule)


def free_text(value: object) -> str:
    """Any text without NUL, lone surrogates and unfilled placeholders."""
    if type(value) is str and value.isprintable() and "{{" not in value:
        return value  # nearly all are: what is printable is neither NUL nor a surrogate
    if not isinstance(value, str):
        raise _broken("must be a text")
    if _FORBIDDEN(value):
        raise _broken("must not contain NUL characters, lone surrogates or the placeholder mark {{")
    # A str subclass may print itself otherwise (an Enum shows its name), so the plain content is copied.
    return value if type(value) is str else str.__str__(value)


def connector_name(value: object) -> str:
    """1-128 characters; control characters are refused because the name stands in keys and log lines."""
    text = free_text(value)
    if not 1 <= len(text) <= 128 or text.isspace():
        raise _broken("must be a name of 1 to 128 characters")
    if not text.isprintable() and _BREAKS_LINES(text):
        raise _broken("must not contain line breaks or other control characters")
    return text


def connector_token(value: object) -> str:
    """1-256 printable characters without blanks; the endpoint's own page uses ``YOUR_TOKEN``."""
    text = free_text(value)
    if not 1 <= len(text) <= 256 or not text.isprintable() or " " in text:
        raise _broken("must be 1 to 256 printable characters without blanks")
    return text


def client_order_id(value: object) -> str:
    """1-64 printable ASCII characters without blanks at the ends."""
    text = free_text(value)
    if _CLIENT_ORDER_ID(text) is None:
        raise _broken("must be 1 to 64 printable ASCII characters without blanks at the ends")
    return text


def mode(value: object) -> str:
    """1-64 printable characters; the list of modes is not closed, so unknown ones only warn."""
    text = free_text(value)
    if not 1 <= len(text) <= 64 or not text.isprintable() or text.isspace():
        raise _broken("must be the name of a mode, 1 to 64 printable characters")
    return text


FreeText = Annotated[str, PlainValidator(free_text), WithJsonSchema({"type": "string"})]
ConnectorName = Annotated[
    str,
    PlainValidator(connector_name),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 128}),
]
ConnectorToken = Annotated[
    str,
    PlainValidator(connector_token),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 256, "pattern": r"^\S+$"}),
]
ClientOrderId = Annotated[
    str,
    PlainValidator(client_order_id),
    WithJsonSchema({"type": "string", "pattern": "^[!-~]([ -~]{0,62}[!-~])?$"}),
]
Mode = Annotated[
    str,
    PlainValidator(mode),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 64}),
]
