"""Around every request: a log line, metrics, and an answer whatever goes wrong inside."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producers.gateway.gauges import Gauges
from producers.gateway.problems import Problem, as_json
from worker.clock import steady

log = logging.getLogger("signals.gateway")

ROUTE = "signals.route"
"""Where the name of a bare route stands in the scope."""
QUIET = frozenset({"livez", "readyz", "metrics"})
"""Routes that are asked every few seconds and make no news."""


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
                answer = as_json(Problem(500, "this is our mistake; the log knows more"))
                await answer(scope, receive, request.send)
        seconds = steady() - began
        route = _route(scope)
        self._gauges.answered(route, request.status, seconds)
        if route not in QUIET and log.isEnabledFor(logging.INFO):
            client = scope.get("client")
            fields = {
                "route": route,
                "method": scope["method"],
                "status": request.status,
                "ms": round(seconds * 1000, 1),
                "client": client[0] if client else None,
            }
            log.info("request", extra={**fields, **scope.get("signals.log", {})})


class _Request:
    """Watches one request go by."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self.status = 0
        self._unread = any(
            name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
            for name, value in scope["headers"]
        )

    async def receive(self) -> MutableMapping[str, Any]:
        message = await self._receive()
        if not message.get("more_body"):
            self._unread = False
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self._unread:
                # Whoever is refused before its body was read might drip it for ever.
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await self._send(message)


def _route(scope: Scope) -> str:
    """The name of the route: its path may hold a secret."""
    return str(scope.get(ROUTE) or getattr(scope.get("route"), "name", None) or "none")


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
