"""The one place that opens Redis connections, and translates their errors."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ConnectionError,  # noqa: A004 - redis-py's own name
    MasterDownError,
    MaxConnectionsError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004 - redis-py's own name
)
from redis.retry import Retry

from worker.errors import QueueUnavailable, QueueUnusable, SettingsError

T = TypeVar("T")

_PASSING = (
    ConnectionError,
    TimeoutError,
    BusyLoadingError,
    ReadOnlyError,
    MaxConnectionsError,
    MasterDownError,
    OutOfMemoryError,
)
_PASSING_WORDS = ("BUSY", "OOM", "MISCONF", "TRYAGAIN", "NOREPLICAS", "LOADING", "READONLY")
_REFUSED = (AuthenticationError, AuthorizationError)


def connect(url: str, *, timeout: float = 2.0) -> redis.Redis:
    """A client that never repeats a command by itself: a lost reply must stay visible to the caller.

    ``timeout``: seconds to connect and for each answer. Raises SettingsError for a URL that is none.
    """
    if not url.startswith(("redis://", "rediss://")):
        raise SettingsError("SIGNALS_REDIS_URL: must start with redis:// or rediss://")
    try:
        return redis.Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            socket_keepalive=True,
            health_check_interval=30,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:
        # The reason is not repeated: it can quote part of a password.
        raise SettingsError(
            "SIGNALS_REDIS_URL: not a valid address; a password with special characters must be URL-encoded"
        ) from None


def masked(url: str) -> str:
    """The URL without its password, fit for logs and errors."""
    # The password may itself hold a colon, a slash or an @: it ends at the last one.
    url = re.sub(r"//([^:/@]*):.*@", r"//\1:***@", url)
    return re.sub(r"(password=)[^&]*", r"\1***", url)


def is_passing(error: RedisError) -> bool:
    """Whether the same call may well succeed a moment later."""
    if isinstance(error, _REFUSED):
        return False
    return isinstance(error, _PASSING) or str(error).startswith(_PASSING_WORDS)


@dataclass(frozen=True, slots=True)
class Persistence:
    """How long to repeat a call: ``patience`` seconds, or until ``abandoned`` says that it is pointless."""

    patience: float
    abandoned: Callable[[], bool] = lambda: False

    def run(self, call: Callable[[], T]) -> T:
        """Repeat an idempotent ``call`` through passing trouble.

        Raises QueueUnavailable when time runs out, QueueUnusable when Redis refuses for good.
        """
        give_up = time.monotonic() + self.patience
        pause = 0.05
        while True:
            try:
                return call()
            except RedisError as error:
                if not is_passing(error):
                    raise QueueUnusable(f"Redis refuses: {error}") from error
                if self.abandoned() or time.monotonic() + pause > give_up:
                    raise QueueUnavailable(f"Redis does not answer: {error}") from error
            time.sleep(pause)
            pause = min(pause * 2, 1.0)


@contextmanager
def translated() -> Iterator[None]:
    """Turn redis-py's errors into this project's, for single calls made for a person."""
    try:
        yield
    except RedisError as error:
        kind = QueueUnavailable if is_passing(error) else QueueUnusable
        raise kind(f"Redis: {error}") from error


__all__ = ["Persistence", "RedisError", "ResponseError", "connect", "is_passing", "masked", "translated"]
