"""A command that is on its way to Redis while its caller does something else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import redis
from redis.exceptions import ConnectionError  # noqa: A004 - redis-py's own name

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Begun(Generic[T]):
    """A call that is under way. One of the two must be called, once."""

    answer: Callable[[], T]
    """Waits for it, and repeats it if need be. Raises what the call raises."""
    drop: Callable[[], None]
    """Does without its answer."""


class Early:
    """One command on a connection that nobody else has meanwhile; ``answer`` or ``drop`` gives it back."""

    def __init__(self, client: redis.Redis, *command: str | bytes | int) -> None:
        """Send it. Raises RedisError; it may have reached the server all the same."""
        self._pool = client.connection_pool
        self._connection = self._pool.get_connection()
        try:
            self._connection.send_command(*command)
        except BaseException:
            self.drop()
            raise

    def answer(self) -> bytes:
        """Wait for it. Raises RedisError."""
        try:
            return cast(bytes, self._connection.read_response())  # disconnects if it has not read all
        except AttributeError as error:
            # How redis-py says that another thread has closed the connection, as the end of a client does.
            raise ConnectionError("the connection was closed before the answer came") from error
        finally:
            self._pool.release(self._connection)

    def drop(self) -> None:
        """Do without the answer: it must not be taken for that of the next command."""
        self._connection.disconnect()
        self._pool.release(self._connection)
