"""The rings that the queue's script sends by itself, beside those that Celery writes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from celery import Celery
from kombu.message import Message

from tests.integration.desk import signal
from worker.lanes import Lanes
from worker.lanes.keys import LANES_PER_RING, RING_QUEUE
from worker.rings import CeleryBell, make_app

Received = Callable[[], Message | None]

NO_CANVAS = ("callbacks", "errbacks", "chain", "chord")
NAMES = ["plain", "with blanks", 'quo"te\\s', "<number> <lanes> %1 %", "日本 € 😀", "a/b", "\u007f\x01"]


@pytest.fixture
def app(redis_url: str, prefix: str) -> Iterator[Celery]:
    app = make_app(redis_url, prefix)
    yield app
    app.close()


@pytest.fixture
def bell(app: Celery) -> CeleryBell:
    return CeleryBell(app)


@pytest.fixture
def ringing(client: redis.Redis, prefix: str, bell: CeleryBell) -> Lanes:
    return Lanes(client, prefix=prefix, ring=bell.message)


def written(client: redis.Redis, prefix: str) -> list[dict[str, Any]]:
    """The messages in the ring queue, oldest first."""
    return [json.loads(raw) for raw in reversed(client.lrange(f"{prefix}{RING_QUEUE}", 0, -1))]


@pytest.fixture
def received(app: Celery) -> Iterator[Received]:
    """Takes the next message as kombu reads it."""
    with app.connection_for_read() as connection:
        yield app.amqp.queues[RING_QUEUE].bind(connection.channel()).get


def test_it_is_what_celery_writes_field_by_field(
    client: redis.Redis, prefix: str, bell: CeleryBell, ringing: Lanes, received: Received
) -> None:
    # Given one ring by Celery and one by the script
    bell.ring(["acct"])
    assert ringing.admit([signal("acct")]).rings == ()

    # Then they differ in nothing but their ids, and in blanks of the body
    theirs, ours = written(client, prefix)
    assert json.loads(theirs.pop("body")) == json.loads(ours.pop("body"))
    for message in (theirs, ours):
        ids = {message["headers"].pop("id"), message["headers"].pop("root_id")}
        assert ids == {message["properties"].pop("correlation_id")}
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", ids.pop())
        assert re.fullmatch(r"[0-9a-f-]{36}", message["properties"].pop("delivery_tag"))
    assert theirs == ours

    # And Celery reads the same out of both
    first, second = received(), received()
    assert first is not None
    assert second is not None
    assert first.decode() == second.decode() == [[["acct"]], {}, dict.fromkeys(NO_CANVAS)]


def test_names_of_all_kinds_come_through(ringing: Lanes, received: Received) -> None:
    assert ringing.admit([signal(name) for name in NAMES]).rings == ()
    message = received()
    assert message is not None
    assert message.decode()[0] == [NAMES]


def test_a_name_that_is_no_text_is_left_to_the_caller(ringing: Lanes, received: Received) -> None:
    # Kombu could not read the message, and would end the worker that takes it.
    spoilt = ["\udcff", "a\udce2\udc82", "\udced\udca0\udc80", "\udcc0\udc80", "\udce0\udc80\udc80"]
    spoilt += ["\udcf4\udc90\udc80\udc80", "\udcf0\udc80\udc80\udc80", "\udcf5\udc80\udc80\udc80"]
    assert ringing.admit([signal(name) for name in ["fine", *spoilt]]).rings == tuple(spoilt)
    message = received()
    assert message is not None
    assert message.decode()[0] == [["fine"]]


def test_a_ring_names_a_few_dozen_lanes_and_no_two_are_alike(
    client: redis.Redis, prefix: str, ringing: Lanes
) -> None:
    for batch in range(2):
        ringing.admit([signal(f"{batch} {number}") for number in range(LANES_PER_RING * 2 + 1)])
    messages = written(client, prefix)
    assert [len(json.loads(one["body"])[0][0]) for one in messages] == [32, 32, 1] * 2
    assert len({one["headers"]["id"] for one in messages}) == 6
    assert len({one["properties"]["delivery_tag"] for one in messages}) == 6


def test_a_ring_that_cannot_be_written_is_left_to_the_caller(
    client: redis.Redis, prefix: str, ringing: Lanes
) -> None:
    client.set(f"{prefix}{RING_QUEUE}", "somebody else's")
    answer = ringing.admit([signal("acct")])
    assert (answer.results[0].status, answer.rings) == ("accepted", ("acct",))


def test_who_asks_again_is_rung_again(client: redis.Redis, prefix: str, ringing: Lanes) -> None:
    batch = [signal("acct")]
    ringing.admit(batch)
    ringing.admit(batch)
    first, second = written(client, prefix)
    assert first["body"] == second["body"]
    assert first["properties"]["delivery_tag"] != second["properties"]["delivery_tag"]


def test_a_message_that_was_put_back_is_the_same(ringing: Lanes, received: Received) -> None:
    # As kombu does with what a worker has in hand when it stops.
    ringing.admit([signal("acct")])
    before = received()
    assert before is not None
    body = before.decode()
    before.requeue()
    after = received()
    assert after is not None
    assert after.decode() == body
    assert after.headers["id"] == before.headers["id"]
