"""Senders that drip, flood, idle or lie: others are served, and memory stays bounded."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
import requests

from demo.stack import eventually, fetch
from tests.gateway.conftest import ALPHA, Gateway, Gateways
from tests.servers import RedisServer

SIGNAL = {"connectorName": "alpha", "connectorToken": ALPHA, "action": "closeLong"}
MEGABYTE = 1 << 20


def connect(gateway: Gateway) -> socket.socket:
    port = int(gateway.url.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def serves(gateway: Gateway) -> None:
    assert gateway.post(SIGNAL).text == "ok"


def answer_of(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    pieces = []
    try:
        while piece := connection.recv(65_536):
            pieces.append(piece)
    except ConnectionError:
        pass
    return b"".join(pieces)


@contextmanager
def dripping(gateway: Gateway, start: bytes, drop: bytes) -> Iterator[Callable[[], bool]]:
    """A connection that sends a little now and then; tells whether it was ended."""
    with connect(gateway) as connection:
        connection.sendall(start)
        connection.settimeout(0.05)

        def ended() -> bool:
            try:
                connection.sendall(drop)
                return connection.recv(1) == b""
            except TimeoutError:
                return False
            except OSError:
                return True

        yield ended


@pytest.fixture
def hasty(gateways: Gateways) -> Gateway:
    return gateways.start(gateway_read_timeout=1)


def test_a_head_that_drips(hasty: Gateway) -> None:
    with dripping(hasty, b"POST /trading-signal/webhook HTTP/1.1\r\n", b"a: b\r\n") as ended:
        serves(hasty)
        eventually(ended, within=10, what="the connection is ended")


def test_a_second_head_that_drips(hasty: Gateway) -> None:
    whole = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
    with connect(hasty) as connection:
        connection.sendall(whole)
        answer = b""
        while not answer.endswith(b"ok\n"):
            answer += connection.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /livez HTTP/1.1\r\n")
        assert answer_of(connection) == b""


def test_a_connection_that_says_nothing(hasty: Gateway) -> None:
    with connect(hasty) as connection:
        assert answer_of(connection) == b""


def test_a_body_that_drips(hasty: Gateway) -> None:
    head = b"POST /trading-signal/webhook HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n"
    with connect(hasty) as connection:
        connection.sendall(head + b"{")
        serves(hasty)
        answer = answer_of(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in answer.lower()


def test_a_body_that_drips_where_nobody_reads_it(hasty: Gateway) -> None:
    head = b"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n"
    with connect(hasty) as connection:
        connection.sendall(head)
        answer = answer_of(connection)
    assert answer.startswith(b"HTTP/1.1 404 ")


def is_refused(connection: socket.socket, data: bytes) -> bool:
    try:
        connection.sendall(data)
    except OSError:
        return True
    return False


def test_heads_without_end(hasty: Gateway) -> None:
    before = rss(hasty)
    with connect(hasty) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        line = b"a: " + b"b" * 60_000 + b"\r\n"
        assert any(is_refused(connection, line) for _ in range(2000))
    serves(hasty)
    assert rss(hasty) - before < 32 * MEGABYTE


@pytest.mark.parametrize("end", [b"\r\n", b""], ids=["many", "one"])
def test_trailers_without_end(gateway: Gateway, end: bytes) -> None:
    serves(gateway)
    before = rss(gateway)
    head = b"POST /trading-signal/webhook HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connect(gateway) as connection:
        connection.sendall(head + b"2\r\n{}\r\n0\r\na: b")
        piece = (b"b" * 90 + end + (b"a: b" if end else b"")) * 1000
        assert any(is_refused(connection, piece) for _ in range(2000))
    serves(gateway)
    assert rss(gateway) - before < 32 * MEGABYTE


@pytest.mark.parametrize("told", [True, False], ids=["told", "chunked"])
def test_bodies_of_ten_megabytes(gateway: Gateway, told: bool) -> None:
    serves(gateway)
    before = rss(gateway)
    piece = b"x" * 65_536

    def pieces() -> Iterator[bytes]:
        for _ in range(160):
            yield piece

    for _ in range(5):
        try:
            data = b"x" * (10 * MEGABYTE) if told else pieces()
            status = requests.post(gateway.webhook, data=data, timeout=10).status_code
        except requests.ConnectionError:
            status = 413  # it was closed while we were still sending
        assert status == 413
    serves(gateway)
    assert rss(gateway) - before < 32 * MEGABYTE


def test_a_thousand_idle_connections(gateways: Gateways) -> None:
    gateway = gateways.start(gateway_connections=1500, gateway_connector_rate=0)
    serves(gateway)
    before = rss(gateway)
    with ExitStack() as stack:
        for number in range(1000):
            connection = stack.enter_context(connect(gateway))
            if number % 2:
                connection.sendall(b"POST /trading-signal/webhook HTTP/1.1\r\n")
        for _ in range(20):
            serves(gateway)
        assert rss(gateway) - before < 48 * MEGABYTE


@pytest.mark.parametrize("sips", [False, True], ids=["never", "a byte now and then"])
def test_an_answer_that_is_not_read(hasty: Gateway, sips: bool) -> None:
    ask = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n"
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", int(hasty.url.rpartition(":")[2])))
        connection.settimeout(0.05)

        def ended() -> bool:
            try:
                connection.send(ask)
                if sips:
                    connection.recv(1)
            except TimeoutError:
                return False
            except OSError:
                return True
            return False

        before = rss(hasty)
        eventually(ended, within=30, what="the connection is ended")
    serves(hasty)
    assert rss(hasty) - before < 32 * MEGABYTE


def test_requests_that_do_not_wait_for_their_answers(gateway: Gateway) -> None:
    serves(gateway)
    before = rss(gateway)
    ask = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
    with connect(gateway) as connection, ThreadPoolExecutor(1) as pool:
        answers = pool.submit(answer_of, connection)  # who reads them is not ended for that
        assert any(is_refused(connection, ask * 10_000) for _ in range(10))
        assert answers.result(30).count(b"HTTP/1.1 200") < 10_000
    with connect(gateway) as connection:  # a few are served, each in its turn
        connection.sendall(ask * 9 + ask.replace(b"Host", b"Connection: close\r\nHost"))
        assert answer_of(connection).count(b"HTTP/1.1 200") == 10
    serves(gateway)
    assert rss(gateway) - before < 32 * MEGABYTE
    assert "Traceback" not in gateway.process.output()


def test_no_more_connections_than_allowed(gateways: Gateways) -> None:
    gateway = gateways.start(gateway_connections=5, gateway_read_timeout=60)
    with ExitStack() as stack:
        held = [stack.enter_context(connect(gateway)) for _ in range(8)]
        for one in held[5:]:
            assert answer_of(one) == b""
        held[0].sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert answer_of(held[0]).startswith(b"HTTP/1.1 200")
    eventually(lambda: answers(gateway), within=10, what="there is room again")


def answers(gateway: Gateway) -> bool:
    try:
        return gateway.post(SIGNAL).text == "ok"
    except requests.ConnectionError:
        return False


def test_more_connections_than_the_system_allows_files(gateways: Gateways) -> None:
    gateway = gateways.start(files=100)
    assert "ulimit -n" in gateway.process.output()
    serves(gateway)  # it has its connections to Redis
    with ExitStack() as stack:
        held = [stack.enter_context(connect(gateway)) for _ in range(150)]
        assert answer_of(held[-1]) == b"", "one too many"
        eventually(lambda: "too many connections" in gateway.process.output(), within=10, what="it is told")
        assert gateway.process.output().count("too many connections") < 10
        assert fetch(f"{gateway.metrics}/readyz")[0] == 200, "who looks after it is not shut out"
    eventually(lambda: answers(gateway), within=10, what="there is room again")


@pytest.mark.parametrize(
    "request_line",
    [
        b"\x00\xff\xfe\r\n\r\n",
        b"GET /%ff%fe HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /v1/signals/%00%ff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /trading-signal/webhook HTTP/1.1\r\nHost: a\r\nContent-Length: nonsense\r\n\r\n",
        b"POST /trading-signal/webhook HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"POST /trading-signal/webhook HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /v1/signals HTTP/1.1\r\nHost: a\r\nAuthorization: \xff\r\nContent-Length: 2\r\n\r\n\xff\xff",
        b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
)
def test_nonsense_on_the_wire(hasty: Gateway, request_line: bytes) -> None:
    with connect(hasty) as connection:
        connection.sendall(request_line)
        answer = answer_of(connection)
    assert not answer or answer.split(b" ", 2)[1].startswith(b"4"), answer
    serves(hasty)
    assert "Traceback" not in hasty.process.output()


@pytest.mark.parametrize("at", [0, 40])
def test_who_would_rather_speak_http_2(gateway: Gateway, at: int) -> None:
    """As Java's client asks, on a fresh connection and on one that it keeps."""
    body = json.dumps(SIGNAL).encode()
    head = (
        b"POST /trading-signal/webhook HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        b"Content-Length: %d\r\nHost: a\r\nHTTP2-Settings: AAEAAEAA\r\nUpgrade: h2c\r\n\r\n" % len(body)
    )
    with connect(gateway) as connection:
        connection.settimeout(10)
        for _ in range(2):
            connection.sendall(head + body[:at])
            connection.sendall(body[at:])
            answer = b""
            while not answer.endswith(b"\r\n\r\nok"):
                answer += connection.recv(65_536)
                assert answer.startswith(b"HTTP/1.1 200 "), answer


def test_a_key_that_floods_leaves_room_for_others(tmp_path: Path, prefix: str) -> None:
    with RedisServer(tmp_path / "redis") as server, ThreadPoolExecutor(8) as pool:
        gateways = Gateways(server.url, prefix, tmp_path)
        key = gateways.add_key("flood", connectors=["*"])
        patience = {"redis_timeout": 20, "redis_patience": 20, "gateway_deadline": 20}
        gateway = gateways.start(gateway_backlog=1000, **patience)
        many = [{"connectorName": "gamma", "action": "cancelAll"}] * 500

        def flood() -> int:
            return requests.post(gateway.v1, json=many, headers=key, timeout=30).status_code

        try:
            serves(gateway)
            server.freeze()
            floods = [pool.submit(flood) for _ in range(4)]
            eventually(lambda: sum(one.done() for one in floods) == 3, within=20, what="the rest is refused")
            other = pool.submit(gateway.post, SIGNAL)
            eventually(lambda: waiting(gateway) == 1, within=20, what="another sender waits")
            server.thaw()
            assert other.result().text == "ok"
            assert sorted(one.result() for one in floods) == [200, 503, 503, 503]
        finally:
            server.thaw()
            gateways.stop()


def waiting(gateway: Gateway) -> float:
    return gateway.metric("signals_gateway_waiting")


def test_what_is_no_http_is_told_so_as_a_problem(gateway: Gateway) -> None:
    with connect(gateway) as connection:
        connection.sendall(b"\x00\xff\xfe\r\n\r\n")
        head, _, body = answer_of(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head.lower()
    assert json.loads(body)["status"] == 400


def test_a_sender_that_leaves_does_no_harm(gateway: Gateway) -> None:
    head = b"POST /trading-signal/webhook HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n{"
    for _ in range(20):
        with connect(gateway) as connection:
            connection.sendall(head)
    serves(gateway)
    assert "Traceback" not in gateway.process.output()
    assert "request failed" not in gateway.process.output()


def test_a_sender_that_leaves_in_the_middle_of_several_requests(gateways: Gateways) -> None:
    gateway = gateways.start(gateway_connector_rate=0)
    body = json.dumps(SIGNAL).encode()
    post = (
        b"POST /trading-signal/webhook HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
    for rest in (b"", post[:-1], post, post * 3, b"\x00\xff\r\n\r\n"):
        for _ in range(5):
            with connect(gateway) as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.sendall(post + rest)
    serves(gateway)
    assert "Traceback" not in gateway.process.output()
    assert "request failed" not in gateway.process.output()


def test_nonsense_behind_a_request_is_not_answered_in_its_place(gateway: Gateway) -> None:
    body = json.dumps(SIGNAL).encode()
    post = (
        b"POST /trading-signal/webhook HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
    with connect(gateway) as connection:
        connection.sendall(post + b"\x00\xff\r\n\r\n")
        assert b" 400 " not in answer_of(connection)


def rss(gateway: Gateway) -> int:
    return int(psutil.Process(gateway.process.pid).memory_info().rss)
