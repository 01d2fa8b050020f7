"""Why something could not be reached, in words that say what to do. Pure."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

from redis.exceptions import AuthenticationError, InvalidResponse, NoPermissionError, OutOfMemoryError
from redis.exceptions import TimeoutError as RedisTimeout

_Kinds = type[BaseException] | tuple[type[BaseException], ...]

_UNKNOWN_NAME = "the host name is not known"
_NOBODY = "nobody listens there"
_TIMEOUT = "no answer in time"

# The first kind that is found anywhere in the chain of causes tells.
_REDIS: tuple[tuple[_Kinds, str], ...] = (
    (AuthenticationError, "it refuses the user or password of SIGNALS_REDIS_URL, or there is none in it"),
    (OutOfMemoryError, "its memory is full (maxmemory): make room, or allow it more"),
    (InvalidResponse, "what answers there is not Redis"),
    (ssl.SSLCertVerificationError, "its certificate is not trusted: ?ssl_ca_certs=FILE says whom to trust"),
    (ssl.SSLError, "it does not speak TLS: redis:// instead of rediss://"),
    (FileNotFoundError, "there is no such file as SIGNALS_REDIS_URL names after the ?"),
    ((socket.gaierror, UnicodeError), _UNKNOWN_NAME),
    (ConnectionRefusedError, f"{_NOBODY}: is Redis running?"),
    ((RedisTimeout, TimeoutError), f"{_TIMEOUT}: is a firewall between, or TLS on one side only?"),
)
_ENDPOINT: tuple[tuple[_Kinds, str], ...] = (
    (
        ssl.SSLCertVerificationError,
        "its certificate is not trusted: SIGNALS_ENDPOINT_CA_FILE says whom to",
    ),
    (FileNotFoundError, "there is no such file as SIGNALS_ENDPOINT_CA_FILE says"),
    (ssl.SSLError, "it does not speak TLS, or SIGNALS_ENDPOINT_CA_FILE holds no certificates"),
    ((socket.gaierror, UnicodeError), _UNKNOWN_NAME),
    (ConnectionRefusedError, _NOBODY),
    (TimeoutError, f"{_TIMEOUT}: is a firewall between?"),
)


def of_redis(error: BaseException) -> str:
    """What a failed call to Redis means."""
    for cause in _chain(error):
        if isinstance(cause, NoPermissionError):
            return f"the user of SIGNALS_REDIS_URL lacks a right ({cause})"
    if "closed by server" in str(error).lower():
        return "it hung up: is TLS needed (rediss://), or is it not Redis?"
    return _first(error, _REDIS)


def of_endpoint(error: BaseException) -> str:
    """What a failed connection to the endpoint means."""
    return _first(error, _ENDPOINT)


def _first(error: BaseException, meanings: tuple[tuple[_Kinds, str], ...]) -> str:
    causes = list(_chain(error))
    for kinds, meaning in meanings:
        if any(isinstance(cause, kinds) for cause in causes):
            return meaning
    return str(error) or type(error).__name__


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
