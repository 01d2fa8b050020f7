from __future__ import annotations

import socket
import ssl

import pytest
from redis.exceptions import AuthenticationError, InvalidResponse, NoPermissionError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeout

from worker.diagnosis import of_endpoint, of_redis
from worker.errors import QueueUnavailable


def wrapped(cause: BaseException) -> QueueUnavailable:
    """As redis-py and `translated` hand it on: the true cause is two levels down."""
    outer, middle = QueueUnavailable(f"Redis: {cause}"), RedisConnectionError(str(cause))
    middle.__context__ = cause
    outer.__cause__ = middle
    return outer


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (AuthenticationError("invalid username-password pair"), "refuses the user or password"),
        (AuthenticationError("Authentication required."), "there is none in it"),
        (
            NoPermissionError("User x has no permissions to run the 'eval' command"),
            "lacks a right (User x",
        ),
        (InvalidResponse("Protocol Error: b'HTTP/1.1'"), "not Redis"),
        (ssl.SSLCertVerificationError("self-signed"), "not trusted"),
        (ssl.SSLError("WRONG_VERSION_NUMBER"), "redis:// instead of rediss://"),
        (socket.gaierror(-2, "Name or service not known"), "host name is not known"),
        (UnicodeError("label empty"), "host name is not known"),
        (ConnectionRefusedError(111, "Connection refused"), "nobody listens there"),
        (RedisTimeout("Timeout reading from socket"), "no answer in time"),
        (RedisConnectionError("Connection closed by server."), "is TLS needed"),
        (OSError(113, "No route to host"), "No route to host"),
    ],
)
def test_redis(cause: BaseException, words: str) -> None:
    assert words in of_redis(wrapped(cause))


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (ssl.SSLCertVerificationError("self-signed"), "not trusted"),
        (FileNotFoundError(2, "No such file"), "SIGNALS_ENDPOINT_CA_FILE"),
        (ssl.SSLError("WRONG_VERSION_NUMBER"), "does not speak TLS"),
        (socket.gaierror(-2, "x"), "host name is not known"),
        (ConnectionRefusedError(), "nobody listens there"),
        (TimeoutError(), "no answer in time"),
        (OSError(), "OSError"),
    ],
)
def test_endpoint(cause: BaseException, words: str) -> None:
    assert words in of_endpoint(cause)
