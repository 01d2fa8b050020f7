"""What goes out before the body, and for how long a socket may wait."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from worker.exchange import DEADLINE_SLACK, Exchange
from worker.transport import Post

HEADERS = {"Content-Type": "application/json", "User-Agent": "test"}


def exchange(seconds: float = 10.0) -> Exchange:
    return Exchange(time.monotonic() + seconds, lambda: True)


@pytest.mark.parametrize(
    ("url", "path", "host"),
    [
        ("http://example.com/hook", "/hook", "example.com"),
        ("http://example.com:80/hook", "/hook", "example.com"),
        ("https://example.com:443/hook?a=b", "/hook?a=b", "example.com"),
        ("https://example.com:80", "/", "example.com:80"),
        ("http://[::1]:8080/a b", "/a%20b", "[::1]:8080"),
        ("http://b\u00fccher.example/hook", "/hook", "xn--bcher-kva.example"),
    ],
)
def test_the_head_is_that_of_http(url: str, path: str, host: str) -> None:
    head = Post(url, HEADERS).carrying(b"12345", exchange()).head
    assert head.decode() == (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nUser-Agent: test\r\n"
        "Content-Length: 5\r\n\r\n"
    )


def test_a_login_in_the_address_is_sent_as_such_and_not_in_the_host() -> None:
    head = Post("http://me:word@example.com/hook", HEADERS).carrying(b"", exchange()).head.decode()
    assert "Host: example.com\r\n" in head
    assert "Authorization: Basic bWU6d29yZA==\r\n" in head
    assert "me:word" not in head


def test_one_that_is_sent_leaves_the_template_as_it_was() -> None:
    template = Post("http://example.com/hook", HEADERS)
    one, other = template.carrying(b"1", exchange()), template.carrying(b"22", exchange())
    assert (one.body, other.body, template.body) == (b"1", b"22", None)
    assert one.head.endswith(b": 1\r\n\r\n")
    assert other.head.endswith(b": 2\r\n\r\n")


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.socket() as one:
        yield one


@pytest.mark.parametrize("before", [None, 0.5, 60.0])
def test_a_socket_waits_no_longer_than_what_is_left(sock: socket.socket, before: float | None) -> None:
    sock.settimeout(before)
    exchange(5.0).bound(sock)
    timeout = sock.gettimeout()
    assert timeout is not None
    assert timeout <= 5.0 + DEADLINE_SLACK
    assert timeout > 1.0


def test_without_time_left_no_operation_begins(sock: socket.socket) -> None:
    with pytest.raises(TimeoutError):
        exchange(-0.001).bound(sock)
