"""From the bytes of a request to signals, whatever its content type says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.types import Receive

from producers.gateway.headers import Headers
from producers.gateway.problems import Problem
from worker.clock import steady
from worker.contract import split
from worker.contract.reading import RepeatedField, utf8
from worker.errors import InvalidSignal

LONGEST_KEY = 250
"""Characters of the header Idempotency-Key: the places of a batch's signals are added to it."""
_FORM_FIELDS = 100


async def read_body(headers: Headers, receive: Receive, *, limit: int, timeout: float) -> bytes:
    """The body, if it is no longer than ``limit`` bytes and here within ``timeout`` seconds.

    Raises Problem as soon as it is clear that it is not; the rest is then not read. Whoever calls
    ``receive`` must answer now and then with nothing, as ``LimitedProtocol`` does, or it waits for ever.
    """
    length = headers.get("content-length")
    too_large = f"the body is larger than {limit} bytes (SIGNALS_GATEWAY_BODY_LIMIT)"
    if length.isdecimal() and int(length) > limit:
        raise Problem(413, too_large)
    pieces: list[bytes] = []
    size, until, more = 0, steady() + timeout, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "the connection broke before the body was here")
        piece = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(piece)
        pieces.append(piece)
        if size > limit:
            raise Problem(413, too_large)
        if more and steady() >= until:
            raise Problem(408, f"the body was not here within {timeout:g} seconds")
    return b"".join(pieces)


async def has_left(receive: Receive) -> bool:
    """Whether the sender of a request that was read has closed the connection."""
    try:
        async with asyncio.timeout(0):
            message = await receive()
            return bool(message["type"] == "http.disconnect")
    except TimeoutError:
        return False


def idempotency_key(headers: Headers) -> str | None:
    """The header of this name. Raises InvalidSignal for one that is too long or not plain."""
    if "idempotency-key" not in headers:
        return None
    key = headers.get("idempotency-key")
    if not (1 <= len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
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
