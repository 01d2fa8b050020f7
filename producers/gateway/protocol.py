"""uvicorn's HTTP protocol with what it lacks: limits on connections that never come to the point."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_LIMIT = 64 * 1024
"""Bytes of a request's head, which the parser would otherwise take without end."""


class LimitedProtocol(HttpToolsProtocol):
    """Drops a connection whose head is not complete in time, or too long; and those beyond a number."""

    head_timeout = 10.0
    """Seconds from the connection, or from the first byte of a further head, to the end of the head."""
    most = 2000
    """Connections at a time."""

    _deadline: asyncio.TimerHandle | None = None
    _head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.abort()
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        in_head = self._deadline is not None
        super().data_received(data)
        if in_head and self._deadline is not None:
            self._head += len(data)
            if self._head > HEAD_LIMIT:
                self.transport.abort()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._deadline is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        self._expect_nothing()
        super().on_headers_complete()

    def _expect_head(self) -> None:
        self._head = 0
        self._deadline = self.loop.call_later(self.head_timeout, self._too_late)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        self.transport.abort()


def limited(*, head_timeout: float, connections: int) -> type[LimitedProtocol]:
    """The protocol with these limits; uvicorn wants a class."""
    return type("Limited", (LimitedProtocol,), {"head_timeout": head_timeout, "most": connections})
