"""Around every request: a log line, metrics, and an answer whatever goes wrong inside."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producers.gateway.gauges import Gauges
from producers.gateway.headers import Headers
from producers.gateway.problems import MISTAKE, as_json
from worker.clock import steady

log = logging.getLogger("signals.gateway")

ROUTE = "signals.route"
"""Where the name of a bare route stands in the scope."""
DETAIL = "signals.detail"
"""Where a problem's line stands in the scope; it holds no secret."""


class Access:
    """ASGI middleware. Neither paths nor queries are logged: a sender may have put a token there."""

    def __init__(self, app: ASGIApp, gauges: Gauges) -> None:
        self._app = app
        self._gauges = gauges

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = steady()
        request = _Request(scope, receive, send)
        try:
            await self._app(scope, request.receive, request.send)
        except Exception as error:  # noqa: BLE001 - every request is answered
            # No traceback: its last line might quote the request.
            failure = {"error": type(error).__name__, "where": _place(error)}
            log.error("request failed", extra=failure)  # noqa: TRY400
            if not request.status:
                answer = as_json(MISTAKE)
                await answer(scope, receive, request.send)
        seconds = steady() - began
        self._gauges.answered(_route(scope), request.status, seconds)
        _tell(scope, request.status, seconds)


def _tell(scope: Scope, status: int, seconds: float) -> None:
    """What went well is no news: the signal's outcome will tell of it."""
    level = logging.DEBUG if status < 400 else logging.INFO
    if not log.isEnabledFor(level):
        return
    client = scope.get("client")
    fields = {
        "route": _route(scope),
        "method": scope["method"],
        "status": status,
        "ms": round(seconds * 1000, 1),
        "client": client[0] if client else None,
    }
    if status < 400:
        log.debug("request", extra=fields)
    else:
        log.info("request refused", extra={**fields, "error": scope.get(DETAIL)})


class _Request:
    """Watches one request go by."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self.status = 0
        self._read = False

    async def receive(self) -> MutableMapping[str, Any]:
        message = await self._receive()
        if not message.get("more_body"):
            self._read = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if not self._read and _has_body(self._scope):
                # Whoever is refused before its body was read might drip it for ever.
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await self._send(message)


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _route(scope: Scope) -> str:
    """The name of the route: its path may hold a secret."""
    return str(scope.get(ROUTE) or getattr(scope.get("route"), "name", None) or "none")


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
