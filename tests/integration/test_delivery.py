"""One POST against real sockets: what it tells, and that nothing escapes."""

from __future__ import annotations

import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
from urllib3.util.connection import is_connection_dropped

from demo.stack import eventually
from worker.delivery import Courier
from worker.errors import SettingsError
from worker.paper import Mischief, PaperServer
from worker.verdict import Verdict

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TWICE_CHUNKED = b"HTTP/1.1 200 OK\r\n" + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n2\r\nok\r\n0\r\n\r\n"
BODY = b'{"connectorName":"a","connectorToken":"token-for-tests","action":"buy","fixed":"1"}'


@pytest.fixture
def courier(paper: PaperServer) -> Iterator[Courier]:
    one = Courier(paper.webhook_url, deadline=1.0, connect_timeout=0.5)
    yield one
    one.close()


@pytest.fixture
def raw_endpoint() -> Iterator[Callable[[bytes], str]]:
    """An endpoint that answers with any bytes whatever."""
    listeners: list[socket.socket] = []

    def serve(answer: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def run() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    received = b""
                    while not received.endswith(BODY):
                        received += connection.recv(65536)
                    connection.sendall(answer)

        threading.Thread(target=run, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/hook"

    yield serve
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_connections_are_kept(courier: Courier, paper: PaperServer) -> None:
    attempts = [courier.post(BODY) for _ in range(5)]
    assert [one.reused for one in attempts] == [False, True, True, True, True]
    assert len({one.connection for one in paper.receipts}) == 1


def test_a_connection_idle_for_long_is_not_trusted(paper: PaperServer) -> None:
    courier = Courier(paper.webhook_url, max_idle=0.0)
    assert [courier.post(BODY).reused for _ in range(3)] == [False] * 3
    courier.close()


def test_a_connection_the_server_closed_is_noticed_before_use(paper: PaperServer, courier: Courier) -> None:
    paper.mischief = Mischief.from_text("close")
    for _ in range(10):
        attempt = courier.post(BODY)
        assert (attempt.verdict, attempt.reused) == (Verdict.ACCEPTED, False)
        pools = courier._adapter.poolmanager.pools
        kept = next(  # the container of pools cannot be iterated itself
            one
            for key in pools.keys()  # noqa: SIM118
            for one in pools[key].pool.queue
            if one is not None
        )
        eventually(lambda one=kept: is_connection_dropped(one), within=5, what="the close has arrived")


@pytest.mark.parametrize(
    ("mischief", "why"),
    [
        ("hang:seconds=10", "timeout"),
        ("drip:every=0.3", "timeout"),
        ("reset", "connection reset"),
        ("huge", "200 with an oversized answer"),
        ("body:body=nope", "200 with another answer"),
        ("500", "500"),
    ],
)
def test_why_an_order_is_unknown(paper: PaperServer, courier: Courier, mischief: str, why: str) -> None:
    paper.mischief = Mischief.from_text(mischief)
    began = time.monotonic()
    attempt = courier.post(BODY)
    assert (attempt.verdict, attempt.why) == (Verdict.UNKNOWN, why)
    assert time.monotonic() - began < 6.0, "the deadline is total"


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (b"", Verdict.UNKNOWN),
        (b"garbage\r\n\r\n", Verdict.UNKNOWN),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", Verdict.UNKNOWN),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", Verdict.UNKNOWN),
        (b"HTTP/1.1 400 No\r\nContent-Length: 3\r\n\r\nno", Verdict.UNKNOWN),
        (b"HTTP/1.1 200 OK\r\nContent-Length: zwei\r\n\r\nok", Verdict.ACCEPTED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", Verdict.ACCEPTED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\nok no", Verdict.UNKNOWN),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nok\r\n", Verdict.UNKNOWN),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", Verdict.ACCEPTED),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\nok", Verdict.UNKNOWN),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\nok", Verdict.UNKNOWN),
        (b"HTTP/1.1 302 Found\r\nLocation: http://[bad\r\nContent-Length: 0\r\n\r\n", Verdict.REJECTED),
        (b"HTTP/1.1 429 Slow\r\nRetry-After: never\r\nContent-Length: 0\r\n\r\n", Verdict.UNSENT),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Verdict.ACCEPTED),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 400 No\r\n\r\n", Verdict.REJECTED),
        (
            b"HTTP/1.1 200 OK\r\nRetry-After: Sun, 22 Nov 2026 14:00:30 +99999999999999999\r\n\r\nok",
            Verdict.ACCEPTED,
        ),
        (b"HTTP/1.0 200 OK\r\n\r\nok", Verdict.ACCEPTED),
        (b"HTTP/1.1 400 No\r\nContent-Le", Verdict.UNKNOWN),
        (b"HTTP/1.1 503 Busy\r\n", Verdict.UNKNOWN),
        (b"HTTP/1.1 103 Hints\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n" + OK, Verdict.ACCEPTED),
        (TWICE_CHUNKED, Verdict.ACCEPTED),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nok\r\n0\r\n\r\n", Verdict.UNKNOWN),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000, Verdict.UNSENT),
    ],
)
def test_whatever_comes_back_is_a_verdict(
    raw_endpoint: Callable[[bytes], str], answer: bytes, verdict: Verdict
) -> None:
    courier = Courier(raw_endpoint(answer), deadline=1.0)
    assert courier.post(BODY).verdict is verdict
    courier.close()


def test_a_connection_that_carried_trouble_is_not_used_again(paper: PaperServer, courier: Courier) -> None:
    for trouble in ("503", "500", "400"):
        paper.mischief = Mischief.from_text(trouble)
        courier.post(BODY)
        paper.mischief = Mischief.from_text()
        assert [courier.post(BODY).reused for _ in range(2)] == [False, True]


@pytest.mark.parametrize("size", [0, 4096 - len(BODY), 16_000])
def test_a_body_of_any_size_arrives_whole(paper: PaperServer, courier: Courier, size: int) -> None:
    body = BODY[:-1] + b',"log":"' + b"x" * size + b'"}'
    assert courier.post(body).verdict is not Verdict.UNSENT
    assert courier.post(BODY).reused, "and nothing is left of it in the connection"
    assert paper.receipts[0].raw == body


def test_without_time_left_nothing_begins(paper: PaperServer, monkeypatch: pytest.MonkeyPatch) -> None:
    courier = Courier(paper.webhook_url, deadline=0.2)
    real = socket.create_connection

    def slow(*arguments: object, **named: object) -> socket.socket:
        connection = real(paper.webhook_url.split("/")[2].split(":"))  # type: ignore[call-overload]
        end = time.monotonic() + 0.25
        eventually(lambda: time.monotonic() > end, within=1, what="the deadline is over")
        return connection

    monkeypatch.setattr("urllib3.util.connection.create_connection", slow)
    attempt = courier.post(BODY)
    assert (attempt.verdict, attempt.why) == (Verdict.UNSENT, "timeout")
    assert paper.receipts == []
    courier.close()


def test_nothing_is_sent_without_leave(paper: PaperServer, courier: Courier) -> None:
    attempt = courier.post(BODY, may_begin=lambda: False)
    assert attempt.verdict is None
    assert courier.post(BODY).verdict is Verdict.ACCEPTED
    assert len(paper.receipts) == 1, "not even half of the withheld one"


def test_leave_is_asked_after_connecting(paper: PaperServer, courier: Courier) -> None:
    asked = []

    def may_begin() -> bool:
        asked.append(time.monotonic())
        return True

    courier.post(BODY, may_begin=may_begin)
    assert len(asked) == 1
    assert asked[0] <= paper.receipts[0].received_mono


@pytest.mark.parametrize("url", ["ftp://host/x", "api.example.com/hook", "http:///x", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="SIGNALS_ENDPOINT_URL"):
        Courier(url)


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A handshake that the client refuses is what the test is about."""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def served(authority: trustme.CA) -> Iterator[Callable[..., str]]:
    """Serves a kind of handler, over TLS if wanted."""
    running: list[tuple[_QuietServer, threading.Thread]] = []

    def serve(handler: type[_Hook], *, tls: bool) -> str:
        server = _QuietServer(("127.0.0.1", 0), handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        running.append((server, thread))
        return f"http{'s' * tls}://127.0.0.1:{server.server_port}/hook"

    yield serve
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def tls_endpoint(served: Callable[..., str]) -> str:
    return served(_Hook, tls=True)


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return str(file)


def _padded(answer: bytes, size: int) -> bytes:
    """The answer, made ``size`` bytes long by a header."""
    line, rest = answer.split(b"\r\n", 1)
    return b"%b\r\nX: %b\r\n%b" % (line, b"x" * (size - len(answer) - 5), rest)


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (OK, True),
        (_padded(OK, io.DEFAULT_BUFFER_SIZE), True),
        (OK.replace(b"\r\n", b"\r\nno field\r\n", 1), False),
        (OK.replace(b"\r\n", b"\r\nX: a\rConnection: close\r\n", 1), False),
        (OK.replace(b"\r\n", b"\r\nTransfer-Encoding: gzip, chunked\r\n", 1), False),
        (TWICE_CHUNKED, False),
        (OK + OK, False),
        (OK + OK[:20], False),
        # Read to the end of a buffer: what follows is left where only TLS knows of it.
        (_padded(OK, io.DEFAULT_BUFFER_SIZE) + OK, False),
        (OK.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n") + b"\r\n0\r\n\r\n", False),
    ],
)
def test_no_answer_is_taken_for_that_to_the_next_order(
    served: Callable[..., str], ca_file: str, answer: bytes, kept: bool, tls: bool
) -> None:
    class Talkative(_Hook):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.wfile.write(answer)

    courier = Courier(served(Talkative, tls=tls), ca_file=ca_file)
    attempts = [courier.post(BODY) for _ in range(3)]
    courier.close()
    assert [one.verdict for one in attempts] == [Verdict.ACCEPTED] * 3
    assert [one.reused for one in attempts] == [False, kept, kept]


def test_tls_with_a_trusted_certificate(tls_endpoint: str, ca_file: str) -> None:
    courier = Courier(tls_endpoint, ca_file=ca_file)
    assert courier.post(BODY).verdict is Verdict.ACCEPTED
    courier.close()


def test_tls_with_an_unknown_certificate_sends_nothing(tls_endpoint: str) -> None:
    courier = Courier(tls_endpoint)
    attempt = courier.post(BODY)
    assert (attempt.verdict, attempt.why) == (Verdict.UNSENT, "TLS certificate not trusted")
    courier.close()


def test_the_environment_has_no_say(
    paper: PaperServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    courier = Courier(paper.webhook_url)
    assert courier.post(BODY).verdict is Verdict.ACCEPTED
    assert "Authorization" not in paper.receipts[0].headers
    courier.close()
