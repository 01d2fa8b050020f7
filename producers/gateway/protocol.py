"""uvicorn's HTTP protocol with what it lacks: limits on connections that never come to the point."""

from __future__ import annotations

import asyncio
import logging
import re

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from producers.gateway.problems import Problem, as_json
from worker.clock import steady

log = logging.getLogger("signals.gateway")

HEAD_LIMIT = 64 * 1024
"""Bytes of a request's head, which the parser would otherwise take without end."""
OVERHEAD = 8
"""Bytes of the wire for each byte of a body: more than chunks of a byte take."""
PIPELINE_LIMIT = 16
"""Requests that one connection may send ahead of their answers."""
LOOK_EVERY = 1.0
"""Seconds between two looks at the connections; a tenth of a shorter timeout."""
_UPGRADE = re.compile(rb"\r\nUpgrade:", re.IGNORECASE)


class LimitedProtocol(HttpToolsProtocol):
    """Ends a connection whose head or answer takes too long, that sends too far ahead, or is one too many.

    Times are noted here and held against the limits by ``Sweep``: a timer per request costs more. A body that
    takes too long is for the application to answer, which is woken to see how late it is.
    """

    sweep: Sweep
    body_limit = 1 << 20
    """Bytes of a body that the application takes."""

    head_since: float | None = None
    """When the head that is not complete yet was begun to be waited for."""
    body_since = 0.0
    """When the head of the latest request was complete."""
    answer_since: float | None = None
    """Since when something of an answer is seen to wait for its reader."""
    _running: RequestResponseCycle | None = None
    """The request that the application works on."""
    _received = 0
    """Bytes of the head, or of what follows it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.sweep.admits(self):
            self._expect_head()
        else:
            self._abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.sweep.forget(self)
        self._tell_of_the_end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        in_head = self.head_since is not None
        super().data_received(data if self._in_body() else _without_upgrade(data))
        if in_head is (self.head_since is not None):
            self._received += len(data)
            if self._received > (HEAD_LIMIT if in_head else HEAD_LIMIT + OVERHEAD * self.body_limit):
                self._abort()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self.head_since is None:
            self._expect_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.head_since is not None:  # trailers are of no use to anybody here
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self.body_since = steady()
        self.head_since = None
        self._received = 0
        super().on_headers_complete()
        if len(self.pipeline) > PIPELINE_LIMIT:
            # uvicorn reads on after every answer, and would hold whatever comes.
            self._abort()
            raise ConnectionAbortedError  # the parser gives up the rest of what was received

    def send_400_response(self, msg: str) -> None:
        if self.transport.is_closing():
            return
        if self._is_ahead():
            self._abort()  # it would be taken for the answer to what is under way
            return
        answer = as_json(Problem(400, msg, headers={"Connection": "close"}))
        head = b"".join(name + b": " + value + b"\r\n" for name, value in answer.raw_headers)
        self._tell_of_the_end()
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n" + head + b"\r\n" + bytes(answer.body))
        self.transport.close()

    def look(self, now: float, timeout: float) -> None:
        """End what has been waited for longer than ``timeout`` seconds."""
        if self.transport.get_write_buffer_size() == 0:
            self.answer_since = None
        elif self.answer_since is None:
            self.answer_since = now
        begun = (self.head_since, self.answer_since)
        if any(since is not None and now - since >= timeout for since in begun):
            self._abort()
        elif self._in_body() and now - self.body_since >= timeout:
            self.cycle.message_event.set()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _in_body(self) -> bool:
        return self.cycle is not None and self.cycle.more_body

    def _is_ahead(self) -> bool:
        """Whether what is read now is not the request that the application works on."""
        running = self._running
        if running is None or running.response_complete:
            return False
        return self.head_since is not None or running is not self.cycle

    def _abort(self) -> None:
        self._tell_of_the_end()
        self.transport.abort()

    def _tell_of_the_end(self) -> None:
        """uvicorn tells the latest request only; earlier ones would write to a closed connection."""
        self.pipeline.clear()
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()

    def _expect_head(self) -> None:
        self._received = 0
        self.head_since = steady()


def _without_upgrade(data: bytes) -> bytes:
    """``data`` begins in a head. Java's client asks for HTTP/2 with every request, which a server may ignore;
    but the parser drops the body of whoever asks."""
    head, end, rest = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"\r\nIgnored:", head) + end + rest


class Sweep:
    """Counts a server's connections and looks at them regularly."""

    def __init__(self, *, timeout: float, most: int) -> None:
        """``timeout``: seconds for a head, from the connection or from the first byte of a further one; and
        for an answer, once it waits for its reader. ``most``: connections at a time."""
        self._timeout = timeout
        self._most = most
        self._open: set[LimitedProtocol] = set()
        self._timer: asyncio.TimerHandle | None = None

    def admits(self, connection: LimitedProtocol) -> bool:
        """Whether there is room for one more; it is then looked at until it is forgotten."""
        if len(self._open) >= self._most:
            log.warning("too many connections: further ones are closed", extra={"open": len(self._open)})
            return False
        self._open.add(connection)
        if self._timer is None:
            self._timer = connection.loop.call_later(self._pause, self._look, connection.loop)
        return True

    def forget(self, connection: LimitedProtocol) -> None:
        self._open.discard(connection)

    @property
    def _pause(self) -> float:
        return min(LOOK_EVERY, self._timeout / 10)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = steady()
        for connection in list(self._open):
            connection.look(now, self._timeout)
        self._timer = loop.call_later(self._pause, self._look, loop) if self._open else None


def limited(*, timeout: float, connections: int, body_limit: int) -> type[LimitedProtocol]:
    """The protocol with these limits; uvicorn wants a class."""
    sweep = Sweep(timeout=timeout, most=connections)
    return type("Limited", (LimitedProtocol,), {"sweep": sweep, "body_limit": body_limit})
