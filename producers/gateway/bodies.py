"""From the bytes of a request to signals, whatever its content type says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope

from producers.gateway.problems import Problem
from worker.contract import split
from worker.contract.reading import RepeatedField, utf8
from worker.errors import InvalidSignal

LONGEST_KEY = 250
"""Characters of the header Idempotency-Key: the places of a batch's signals are added to it."""
_FORM_FIELDS = 100


def headers_of(scope: Scope) -> Mapping[str, str]:
    """The headers by their names in lower case; a name that stands twice has its last value.

    Starlette's own view looks through all of them, and decodes, at every question.
    """
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def read_body(headers: Mapping[str, str], receive: Receive, *, limit: int, timeout: float) -> bytes:
    """The body, if it is no longer than ``limit`` bytes and here within ``timeout`` seconds.

    Raises Problem as soon as it is clear that it is not; the rest is then not read.
    """
    length = headers.get("content-length", "")
    too_large = f"the body is larger than {limit} bytes (SIGNALS_GATEWAY_BODY_LIMIT)"
    if length.isdecimal() and int(length) > limit:
        raise Problem(413, too_large)
    body = b""
    try:
        async with asyncio.timeout(timeout):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Problem(400, "the connection broke before the body was here")
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > limit:
                    raise Problem(413, too_large)
    except TimeoutError:
        raise Problem(408, f"the body was not here within {timeout:g} seconds") from None
    return body


async def has_left(receive: Receive) -> bool:
    """Whether the sender of a request that was read has closed the connection."""
    try:
        async with asyncio.timeout(0):
            message = await receive()
            return bool(message["type"] == "http.disconnect")
    except TimeoutError:
        return False


def idempotency_key(headers: Mapping[str, str]) -> str | None:
    """The header of this name. Raises InvalidSignal for one that is too long or not plain."""
    key = headers.get("idempotency-key")
    if key is not None and not (1 <= len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        raise InvalidSignal(f"Idempotency-Key must be 1 to {LONGEST_KEY} printable ASCII characters")
    return key


def one_signal(body: bytes, content_type: str) -> Mapping[str, object]:
    """The single signal of a webhook body: JSON, or form fields. Raises InvalidSignal."""
    start = utf8(body[:64]).lstrip()[:1]
    if start not in (b"{", b"[") and (_is_form(content_type) or b"=" in body.split(b"&", 1)[0]):
        return _form(body)
    if not start:
        raise InvalidSignal("the body is empty: it must be a signal as JSON")
    items = split(body, 1)
    if len(items) == 1 and isinstance(items[0], InvalidSignal):
        raise items[0]
    if len(items) != 1 or start == b"[" or isinstance(items[0], InvalidSignal):
        raise InvalidSignal("the webhook takes one signal: send several to /v1/signals")
    return items[0]


def _is_form(content_type: str) -> bool:
    return content_type.lower().startswith("application/x-www-form-urlencoded")


def _form(body: bytes) -> Mapping[str, object]:
    try:
        pairs: list[tuple[str, object]] = [
            (name, value)
            for name, value in parse_qsl(
                body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_FORM_FIELDS
            )
        ]
    except ValueError:  # of UTF-8, too
        raise InvalidSignal("the body is neither JSON nor form fields in UTF-8") from None
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else RepeatedField(pairs)
