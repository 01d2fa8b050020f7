"""What is asked again, and by whom."""

from __future__ import annotations

import pytest
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ConnectionError,  # noqa: A004 - redis-py's own name
    NoPermissionError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004 - redis-py's own name
)

from worker.errors import QueueUnavailable, QueueUnreached, QueueUnusable
from worker.lanes.redis import NotDurable, NotInTime, Persistence, connect


class Server:
    """Answers after it has refused some times."""

    def __init__(self, error: RedisError, times: int) -> None:
        self._error, self._left = error, times

    def __call__(self) -> str:
        if self._left:
            self._left -= 1
            raise self._error
        return "answer"


@pytest.mark.parametrize(
    "error",
    [
        BusyLoadingError("loading"),
        ReadOnlyError("replica"),
        NotDurable("not on its disk"),
        ResponseError("BUSY Redis is busy running a script"),
        ResponseError("MISCONF no disk"),
        ResponseError("NOREPLICAS Not enough good replicas to write."),
        ResponseError("UNBLOCKED force unblock from blocking operation"),
    ],
    ids=str,
)
def test_what_passes(error: RedisError) -> None:
    assert Persistence(5.0).run(Server(error, 2)) == "answer"
    with pytest.raises(QueueUnavailable):
        Persistence(0.1).run(Server(error, 99))


@pytest.mark.parametrize("error", [AuthenticationError("no"), NoPermissionError("no")], ids=str)
def test_a_refusal_is_told_at_once_but_a_worker_waits_for_its_end(error: RedisError) -> None:
    with pytest.raises(QueueUnusable, match="SIGNALS_REDIS_URL"):
        Persistence(5.0).run(Server(error, 1))
    assert Persistence(float("inf")).run(Server(error, 2)) == "answer"
    with pytest.raises(QueueUnavailable):
        Persistence(float("inf"), abandoned=lambda: True).run(Server(error, 2))


def test_a_mistake_is_told_at_once() -> None:
    with pytest.raises(QueueUnusable):
        Persistence(float("inf")).run(Server(ResponseError("ERR wrong type"), 1))


REFUSED = "Error 111 connecting to 127.0.0.1:1. Connection refused."


@pytest.mark.parametrize(
    ("errors", "kind"),
    [
        ([ConnectionError(REFUSED)], QueueUnreached),
        ([TimeoutError("Timeout connecting to server")], QueueUnreached),
        ([NotInTime()], QueueUnreached),
        ([BusyLoadingError("loading")], QueueUnreached),
        ([ResponseError("BUSY Redis is busy running a script")], QueueUnreached),
        ([ConnectionError("Connection closed by server.")], QueueUnavailable),
        ([ConnectionError("Error 104 while writing to socket. Connection reset by peer.")], QueueUnavailable),
        ([TimeoutError("Timeout reading from socket")], QueueUnavailable),
        ([NotDurable("not on its disk")], QueueUnavailable),
        # what one try may have done, no later one takes back
        ([TimeoutError("Timeout reading from socket"), ConnectionError(REFUSED)], QueueUnavailable),
        ([TimeoutError("Timeout reading from socket"), NotInTime()], QueueUnavailable),
    ],
)
def test_it_is_told_whether_any_try_may_have_had_an_effect(
    errors: list[RedisError], kind: type[QueueUnavailable]
) -> None:
    tries = iter(errors)

    def call() -> None:
        raise next(tries, errors[-1])

    with pytest.raises(QueueUnavailable) as caught:
        Persistence(0.06 * len(errors)).run(call)
    assert type(caught.value) is kind


def test_a_server_that_is_not_there_is_certainly_not_reached() -> None:
    with connect("redis://127.0.0.1:1/0") as client, pytest.raises(QueueUnreached):
        Persistence(0.0).run(client.ping)
