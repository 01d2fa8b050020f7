"""Connections that keep a total deadline and know whether a request has begun.

urllib3's timeouts bound each socket operation, so an endpoint that drips a byte a second could hold a
connection for ever; here every operation gets what is left of one deadline. And whether a failed request
may have reached the endpoint is not guessed from the exception: the connection notes its first byte.

requests prepares, connects and trusts (or not), urllib3 keeps the connections, ``answer`` reads what comes
back. What both do around each request (merge, copy, look up, wrap) is left out: all requests are alike.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Self, cast
from urllib.parse import urlsplit

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager

from worker import crash
from worker.answer import Answer
from worker.exchange import Exchange

_ONE_PACKET = 4096
"""Bytes of a body up to which it is sent in one go with its headers."""


class Post(PreparedRequest):
    """A POST that is prepared once and sent often; its body differs, and the exchange it is part of."""

    exchange: Exchange

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        super().__init__()
        self.prepare("POST", url, headers=dict(headers))
        self._head = self._render()

    def carrying(self, body: bytes, exchange: Exchange) -> Self:
        """One to be sent."""
        one = self.__class__.__new__(self.__class__)
        one.__dict__.update(self.__dict__)
        one.body = body
        one.exchange = exchange
        return one

    @property
    def head(self) -> bytes:
        """Everything that goes before the body."""
        return b"%b%d\r\n\r\n" % (self._head, len(cast(bytes, self.body)))

    def _render(self) -> bytes:
        lines = [f"POST {self.path_url} HTTP/1.1", f"Host: {_host(str(self.url))}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items() if name != "Content-Length"]
        return "\r\n".join([*lines, "Content-Length: "]).encode("latin-1")


def _host(url: str) -> str:
    parts = urlsplit(url)
    standard = {"http": 80, "https": 443}[parts.scheme]
    name = parts.netloc.rpartition("@")[2]
    return name.removesuffix(f":{standard}")


class _DeadlineMixin:
    """What both kinds of connection do on top of urllib3's."""

    sock: socket.socket | None
    timeout: Any
    exchange: Exchange
    idle_since = 0.0

    def connect(self) -> None:
        self.exchange.reused = False
        self.timeout = min(self.timeout, self.exchange.remaining())
        super().connect()  # type: ignore[misc]

    def post(self, head: bytes, body: bytes) -> Answer:
        if self.sock is None:
            self.connect()
        sock = cast(socket.socket, self.sock)
        crash.here("connected")
        # In this order: without time left nothing begins.
        self.exchange.bound(sock)
        self.exchange.begin()
        with suppress(BrokenPipeError, ConnectionResetError):  # it may have answered before it closed
            self._transmit(sock, head, body)
        return Answer(sock, self.exchange)

    def _transmit(self, sock: socket.socket, head: bytes, body: bytes) -> None:
        if len(body) <= _ONE_PACKET:
            sock.sendall(head + body)
        else:
            sock.sendall(head)
            crash.here("half-sent")
            self.exchange.bound(sock)
            sock.sendall(body)
        crash.here("sent")


class _DeadlineHTTPConnection(_DeadlineMixin, HTTPConnection):
    pass


class _DeadlineHTTPSConnection(_DeadlineMixin, HTTPSConnection):
    pass


class _IdleMixin:
    """A pool that does not trust a connection which has been idle for long.

    urllib3 notices a connection that the server *has* closed; one that it is *about to* close would fail
    after the request began, and leave an order unknown.
    """

    max_idle = 4.0

    def take(self) -> Any:
        """A connection; it may still have to connect."""
        connection = self._get_conn()  # type: ignore[attr-defined]
        if connection.sock is not None and time.monotonic() - connection.idle_since > self.max_idle:
            connection.close()
        return connection

    def put_back(self, connection: Any, *, reusable: bool) -> None:
        if reusable:
            connection.idle_since = time.monotonic()
        else:
            connection.close()
        self._put_conn(connection)  # type: ignore[attr-defined]


class _HTTPPool(_IdleMixin, HTTPConnectionPool):
    ConnectionCls = _DeadlineHTTPConnection


class _HTTPSPool(_IdleMixin, HTTPSConnectionPool):
    ConnectionCls = _DeadlineHTTPSConnection


class DeadlineAdapter(HTTPAdapter):
    """requests' adapter over such connections, for one endpoint.

    Used without a Session on purpose: no redirects, cookies, proxies or credentials of the environment.
    ``max_idle``: seconds after which an unused connection is replaced. ``limit``: bytes of an answer's body
    that are read; of a longer one, one more. ``verify``: as requests has it.
    """

    def __init__(
        self,
        *,
        connections: int,
        max_idle: float,
        connect_timeout: float,
        limit: int,
        verify: bool | str = True,
    ) -> None:
        self._max_idle = max_idle
        self._connect_timeout = connect_timeout
        self._limit = limit
        self._verify = verify
        self._pool: _HTTPPool | _HTTPSPool | None = None
        super().__init__(pool_connections=4, pool_maxsize=connections, max_retries=0, pool_block=False)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        manager: PoolManager = self.poolmanager
        manager.pool_classes_by_scheme = {
            "http": type("_HTTPPool", (_HTTPPool,), {"max_idle": self._max_idle}),
            "https": type("_HTTPSPool", (_HTTPSPool,), {"max_idle": self._max_idle}),
        }

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        """Send a ``Post`` and read its answer; raises whatever goes wrong, as it comes.

        What else requests' adapters take is laid down for all requests.
        """
        post = cast(Post, request)
        pool = self._pool or self._open_pool(post)
        connection = pool.take()
        connection.exchange = post.exchange
        connection.timeout = self._connect_timeout
        reusable = False
        try:
            answer = connection.post(post.head, post.body)
            with answer:
                said = answer.read_up_to(self._limit)
                reusable = answer.reusable
        finally:
            pool.put_back(connection, reusable=reusable)
        return _response(post, answer, said)

    def _open_pool(self, post: Post) -> _HTTPPool | _HTTPSPool:
        pool = self.get_connection_with_tls_context(post, self._verify)
        self.cert_verify(pool, str(post.url), self._verify, None)  # type: ignore[no-untyped-call]
        self._pool = cast("_HTTPPool | _HTTPSPool", pool)
        return self._pool


def _response(post: Post, answer: Answer, said: bytes) -> Response:
    response = Response()
    response.status_code = answer.status
    response.reason = answer.reason
    response.headers = CaseInsensitiveDict({name: values[-1] for name, values in answer.fields.items()})
    response.raw = io.BytesIO(said)
    response.url = str(post.url)
    response.request = post
    return response
