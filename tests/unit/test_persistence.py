"""What is asked again, and by whom."""

from __future__ import annotations

import pytest
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from worker.errors import QueueUnavailable, QueueUnusable
from worker.lanes.redis import NotDurable, Persistence


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
