"""A batch that is on its way while its sender does something else, and what may happen to it meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from chaos.wire import Wire
from demo.stack import eventually
from tests.integration.desk import Desk, signal
from worker.errors import QueueUnavailable, QueueUnusable
from worker.lanes import Lanes
from worker.lanes.redis import connect


@pytest.fixture
def sender(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url) as client:
        yield client


@pytest.fixture
def lanes(sender: redis.Redis, prefix: str) -> Lanes:
    return Lanes(sender, prefix=prefix, patience=2.0)


def waiting(desk: Desk) -> list[bytes]:
    return desk.client.lrange(f"{desk.prefix}lane:acct", 0, -1)


def test_it_is_taken_before_the_answer_is_asked_for(desk: Desk, lanes: Lanes) -> None:
    lanes.admit([signal("other")])  # loads the script
    one = signal()
    begun = lanes.begin([one])
    desk.until(desk.redis_ms() + 1)  # the server answers in turn, so by now it is done
    assert waiting(desk) == [one.id.encode()]
    assert begun.answer().results[0].status == "accepted"


def test_a_script_that_is_not_loaded_is_loaded_for_the_answer(desk: Desk, lanes: Lanes) -> None:
    desk.client.script_flush()
    one = signal()
    assert lanes.begin([one]).answer().results[0].status == "accepted"
    assert waiting(desk) == [one.id.encode()]


def test_an_answer_that_is_lost_is_asked_for_again_and_nothing_is_taken_twice(
    desk: Desk, lanes: Lanes, sender: redis.Redis
) -> None:
    lanes.admit([signal("other")])
    one = signal()
    begun = lanes.begin([one])
    (connection,) = sender.connection_pool._in_use_connections
    desk.until(desk.redis_ms() + 1)
    assert waiting(desk) == [one.id.encode()]
    connection.disconnect()

    assert begun.answer().results[0].status == "accepted"
    assert waiting(desk) == [one.id.encode()]


def test_what_cannot_be_sent_is_told_with_the_answer(prefix: str) -> None:
    with connect("redis://127.0.0.1:1") as nobody:
        begun = Lanes(nobody, prefix=prefix, patience=0.1).begin([signal()])
        with pytest.raises(QueueUnavailable, match="nobody listens"):
            begun.answer()


def test_what_redis_refuses_is_told_with_the_answer(desk: Desk, lanes: Lanes, sender: redis.Redis) -> None:
    desk.client.set(f"{desk.prefix}lanes", "by somebody else")
    begun = lanes.begin([signal()])
    with pytest.raises(QueueUnusable, match="WRONGTYPE"):
        begun.answer()
    assert sender.ping()


def test_nobody_is_given_the_answer_that_was_dropped(desk: Desk, lanes: Lanes, sender: redis.Redis) -> None:
    begun = lanes.begin([signal()])
    begun.drop()
    assert sender.echo("mine") == b"mine"
    assert lanes.admit([signal()]).results[0].status == "accepted"
    assert not sender.connection_pool._in_use_connections


def test_a_wire_that_swallows_the_answer_gives_no_second_signal(desk: Desk, prefix: str) -> None:
    port = desk.client.connection_pool.connection_kwargs["port"]
    with Wire(port) as wire, connect(f"redis://127.0.0.1:{wire.port}", timeout=0.5) as client:
        lanes = Lanes(client, prefix=prefix, patience=5.0)
        lanes.admit([signal("other")])
        wire.loses = 1.0
        one = signal()
        begun = lanes.begin([one])
        eventually(lambda: wire.lost, within=5, what="an answer is swallowed")
        wire.heal()
        assert begun.answer().results[0].status == "accepted"
    assert waiting(desk) == [one.id.encode()]
