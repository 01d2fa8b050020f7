"""Connections that keep a total deadline and know whether a request has begun.

urllib3's timeouts bound each socket operation, so an endpoint that drips a byte a second could hold a
connection for ever; here every operation gets what is left of one deadline. And whether a failed request
may have reached the endpoint is not guessed from the exception: the connection notes its first byte.
"""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, cast

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager

from worker import crash


class Withheld(Exception):
    """The sender was not allowed to begin; no byte went out."""


class Exchange:
    """One request and its answer, as seen by the connection that carries it.

    ``may_begin`` is asked once, after connecting and immediately before the first byte goes out.
    """

    def __init__(self, deadline: float, may_begin: Callable[[], bool]) -> None:
        self._deadline = deadline
        self._may_begin = may_begin
        self.began = False
        self.reused = True
        self.clean = False
        """Whether the answer is of the plain kind after which a connection may be used again."""

    def remaining(self) -> float:
        """Seconds left; raises TimeoutError when there are none."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("deadline exceeded")
        return left

    def begin(self) -> None:
        if not self.began:
            if not self._may_begin():
                raise Withheld
            self.began = True


_current = threading.local()


def carry(exchange: Exchange) -> None:
    """Make ``exchange`` the one that connections used by this thread report to."""
    _current.exchange = exchange


def _exchange() -> Exchange:
    return cast(Exchange, _current.exchange)


class _TimedIO(io.RawIOBase):
    """A socket's reading side; every read waits no longer than the deadline allows."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase, exchange: Exchange) -> None:
        self._sock = sock
        self._raw = raw
        self._exchange = exchange

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._exchange.remaining())
        return cast("int | None", self._raw.readinto(buffer))

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_TimedIO(sock, raw, _exchange()))

    def _read_status(self) -> tuple[str, int, str]:
        # http.client passes over 100 only. After a 103 taken for the answer, the answer proper would be read
        # as that to the next order.
        version, status, reason = super()._read_status()  # type: ignore[misc]
        while 102 <= status <= 199:
            http.client.parse_headers(self.fp)
            version, status, reason = super()._read_status()  # type: ignore[misc]
        _exchange().clean = 200 <= status <= 299
        return version, status, reason


class _DeadlineMixin:
    """What both kinds of connection do on top of urllib3's."""

    sock: socket.socket | None
    timeout: Any
    idle_since = 0.0

    def connect(self) -> None:
        exchange = _exchange()
        exchange.reused = False
        self.timeout = min(self.timeout or exchange.remaining(), exchange.remaining())
        super().connect()  # type: ignore[misc]

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        exchange = _exchange()
        begun = exchange.began
        crash.here("half-sent" if begun else "connected")
        # In this order: without time left nothing begins.
        cast(socket.socket, self.sock).settimeout(exchange.remaining())
        exchange.begin()
        super().send(data)  # type: ignore[misc]
        if begun:
            crash.here("sent")


class _DeadlineHTTPConnection(_DeadlineMixin, HTTPConnection):
    response_class = _TimedResponse


class _DeadlineHTTPSConnection(_DeadlineMixin, HTTPSConnection):
    response_class = _TimedResponse


class _IdleMixin:
    """A pool that does not trust a connection which has been idle for long.

    urllib3 notices a connection that the server *has* closed; one that it is *about to* close would fail
    after the request began, and leave an order unknown.
    """

    max_idle = 4.0

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection = super()._get_conn(timeout)  # type: ignore[misc]
        if connection.sock is not None and time.monotonic() - connection.idle_since > self.max_idle:
            connection.close()
        return connection

    def _put_conn(self, connection: Any) -> None:
        if connection is not None:
            connection.idle_since = time.monotonic()
            if not _exchange().clean:
                connection.close()
        super()._put_conn(connection)  # type: ignore[misc]


class _HTTPPool(_IdleMixin, HTTPConnectionPool):
    ConnectionCls = _DeadlineHTTPConnection


class _HTTPSPool(_IdleMixin, HTTPSConnectionPool):
    ConnectionCls = _DeadlineHTTPSConnection


class DeadlineAdapter(HTTPAdapter):
    """requests' adapter over such connections.

    Used without a Session on purpose: no redirects, cookies, proxies or credentials of the environment.
    ``max_idle``: seconds after which an unused connection is replaced.
    """

    def __init__(self, *, connections: int, max_idle: float) -> None:
        self._max_idle = max_idle
        super().__init__(pool_connections=4, pool_maxsize=connections, max_retries=0, pool_block=False)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        manager: PoolManager = self.poolmanager
        manager.pool_classes_by_scheme = {
            "http": type("_HTTPPool", (_HTTPPool,), {"max_idle": self._max_idle}),
            "https": type("_HTTPSPool", (_HTTPSPool,), {"max_idle": self._max_idle}),
        }
