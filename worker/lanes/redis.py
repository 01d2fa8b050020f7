"""The one place that opens Redis connections, and translates their errors."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ConnectionError,  # noqa: A004 - redis-py's own name
    MasterDownError,
    MaxConnectionsError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004 - redis-py's own name
)
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel

from worker.diagnosis import of_redis
from worker.errors import QueueUnavailable, QueueUnreached, QueueUnusable
from worker.lanes.address import parse

T = TypeVar("T")


class NotDurable(RedisError):
    """A write was not as safe in time as SIGNALS_DURABILITY demands."""


class NotInTime(RedisError):
    """The call came so late that it did nothing."""

    def __init__(self) -> None:
        super().__init__("too slow, or its clock was set: the call came too late")


_PASSING = (
    NotInTime,
    NotDurable,
    ConnectionError,
    TimeoutError,
    BusyLoadingError,
    ReadOnlyError,
    MaxConnectionsError,
    MasterDownError,
    OutOfMemoryError,
)
_PASSING_WORDS = (
    "BUSY", "OOM", "MISCONF", "TRYAGAIN", "NOREPLICAS", "LOADING", "READONLY", "UNBLOCKED",
)  # fmt: skip
_UNREACHED = (NotInTime, BusyLoadingError, MaxConnectionsError, MasterNotFoundError, AuthenticationError)
_UNREACHED_WORDS = re.compile(r"Error .* connecting to |Timeout connecting to server|BUSY ", re.DOTALL)
"""How redis-py says that a connection could not be opened, and servers that they run no script now."""
_REFUSED = (AuthenticationError, AuthorizationError, NoPermissionError)


def connect(url: str, *, timeout: float = 2.0) -> redis.Redis:
    """A client that never repeats a command by itself: a lost reply must stay visible to the caller.

    ``timeout``: seconds to connect and for each answer. Raises SettingsError for a URL that is none.
    """
    address = parse(url)
    tls = {} if address.tls is None else {"ssl": True, **address.tls}
    manners = single_try(timeout)
    if address.master is None:
        host, port = address.hosts[0]
        return redis.Redis(
            host, port, db=address.db, health_check_interval=30, **address.login, **tls, **manners
        )
    sentinels = _Sentinels(list(address.hosts), sentinel_kwargs={**address.sentinel_login, **tls, **manners})
    client: redis.Redis = sentinels.master_for(  # type: ignore[no-untyped-call]
        address.master, db=address.db, health_check_interval=30, **address.login, **tls, **manners
    )
    return client


def single_try(timeout: float) -> dict[str, Any]:
    """Arguments of a connection that fails after ``timeout`` seconds and is not tried again by redis-py."""
    return {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
    }


class _Sentinels(Sentinel):
    """Asks the sentinels for the primary, one thread at a time.

    redis-py moves the one that answered to the front of its list; two threads at once could lose one.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)  # type: ignore[no-untyped-call]
        self._lock = threading.Lock()

    def discover_master(self, service_name: str) -> tuple[str, int]:
        with self._lock:
            try:
                found: tuple[str, int] = super().discover_master(service_name)  # type: ignore[no-untyped-call]
            except MasterNotFoundError as error:
                # Its own text is a page long: one error per sentinel that did not answer.
                failed = str(error).count(" - ")
                hint = ", they refuse the password" if "AuthenticationError" in str(error) else ""
                raise MasterNotFoundError(
                    f"no sentinel knows of a primary {service_name!r} that is up"
                    f" ({failed} of {len(self.sentinels)} did not answer{hint})"
                ) from None
        return found


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


def had_no_effect(error: RedisError) -> bool:
    """Whether a single try of a script certainly did nothing; in doubt it may have."""
    return isinstance(error, _UNREACHED) or _UNREACHED_WORDS.match(str(error)) is not None


@dataclass(frozen=True, slots=True)
class Persistence:
    """How long to repeat a call: ``patience`` seconds, or until ``abandoned`` says that it is pointless."""

    patience: float
    abandoned: Callable[[], bool] = lambda: False

    def run(self, call: Callable[[], T]) -> T:
        """Repeat an idempotent ``call`` through passing trouble.

        Who has all the patience there is waits for a changed password or right to be changed back, too.
        Raises QueueUnavailable when time runs out (QueueUnreached if no try had any effect), QueueUnusable
        when Redis refuses for good.
        """
        give_up = time.monotonic() + self.patience
        pause = 0.05
        kind: type[QueueUnavailable] = QueueUnreached
        while True:
            try:
                return call()
            except RedisError as error:
                stubborn = self.patience == math.inf and isinstance(error, _REFUSED)
                if not (is_passing(error) or stubborn):
                    raise QueueUnusable(f"Redis refuses: {of_redis(error)}") from error
                if not had_no_effect(error):
                    kind = QueueUnavailable
                if self.abandoned() or time.monotonic() + pause > give_up:
                    raise kind(f"Redis does not answer: {of_redis(error)}") from error
            time.sleep(pause)
            pause = min(pause * 2, 1.0)


@contextmanager
def translated() -> Iterator[None]:
    """Turn redis-py's errors into this project's, for single calls made for a person."""
    try:
        yield
    except RedisError as error:
        kind = QueueUnavailable if is_passing(error) else QueueUnusable
        raise kind(f"Redis: {of_redis(error)}") from error


__all__ = [
    "NotDurable",
    "NotInTime",
    "Persistence",
    "RedisError",
    "ResponseError",
    "connect",
    "had_no_effect",
    "is_passing",
    "masked",
    "single_try",
    "translated",
]
