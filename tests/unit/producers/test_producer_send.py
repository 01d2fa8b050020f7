"""The library's face over a queue and a bell that only take notes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from producers import (
    Interrupted,
    InvalidSignal,
    NotSent,
    QueueUnavailable,
    Receipt,
    SignalProducer,
    SignalsError,
)
from worker.contract import parse
from worker.errors import QueueUnreached, QueueUnusable
from worker.lanes import Admission, AdmitAnswer, Admitted
from worker.settings import load_settings

TOKEN = "0e9f7a52-8d53-4c6a-9f0e-3b1f7a2c4d5e"
JSON = f'{{"connectorName": "alpha", "connectorToken": "{TOKEN}", "action": "buy"}}'
SPREAD = JSON.replace(", ", ",\n")


class NotedQueue:
    """Accepts everything until ``failure`` is set."""

    def __init__(self) -> None:
        self.batches: list[list[Admission]] = []
        self.failure: SignalsError | None = None
        self.fails_at = 1
        self.slots: tuple[int, ...] = ()

    def admit(self, batch: Sequence[Admission], *, in_order: bool) -> AdmitAnswer:
        self.batches.append(list(batch))
        if self.failure is not None and len(self.batches) >= self.fails_at:
            raise self.failure
        lanes = tuple(dict.fromkeys(item.connector for item in batch))
        results = tuple(Admitted("accepted") for _ in batch)
        return AdmitAnswer(now_ms=1000, rings=lanes, slots_ms=self.slots, results=results)


class NotedBell:
    def __init__(self) -> None:
        self.rings: list[Sequence[str]] = []
        self.wakes: list[tuple[Sequence[int], int]] = []

    def ring(self, lanes: Sequence[str]) -> None:
        self.rings.append(lanes)

    def wake(self, slots_ms: Sequence[int], now_ms: int) -> None:
        self.wakes.append((slots_ms, now_ms))


@pytest.fixture
def queue() -> NotedQueue:
    return NotedQueue()


@pytest.fixture
def bell() -> NotedBell:
    return NotedBell()


@pytest.fixture
def producer(queue: NotedQueue, bell: NotedBell) -> Iterator[SignalProducer]:
    settings = load_settings(redis_url="redis://127.0.0.1:1/0", dedup_window=100)
    with SignalProducer(settings=settings, queue=queue, bell=bell) as made:
        yield made


def order(connector: str = "alpha", **fields: Any) -> dict[str, object]:
    return {"connectorName": connector, "connectorToken": TOKEN, "action": "buy", "percent": "1", **fields}


def test_one_gives_one_receipt(producer: SignalProducer, queue: NotedQueue, bell: NotedBell) -> None:
    receipt = producer.send(order())
    assert isinstance(receipt, Receipt)
    ((sent,),) = queue.batches
    assert (receipt.id, sent.connector, sent.window_ms) == (sent.id, "alpha", 100_000)
    assert bell.rings == [("alpha",)]
    assert bell.wakes == []


def test_the_calendar_is_armed(producer: SignalProducer, queue: NotedQueue, bell: NotedBell) -> None:
    queue.slots = (1500,)
    producer.send(order(delaySeconds=0.5))
    assert bell.wakes == [((1500,), 1000)]


@pytest.mark.parametrize(
    "one",
    [
        order(),
        parse(order()),
        JSON.encode(),
        f"\n{SPREAD}\n",
        memoryview(JSON.encode()),
        7,
        None,
        "no JSON",
    ],
)
def test_what_counts_as_one(producer: SignalProducer, one: Any) -> None:
    assert isinstance(producer.send(one), Receipt)


@pytest.mark.parametrize(
    ("many", "count"),
    [
        ([order(), JSON.encode(), parse(order())], 3),
        ((order(),), 1),
        (iter([order(), order()]), 2),
        ((order() for _ in range(2)), 2),
        ({1: order()}.values(), 1),
        (f"[{JSON}]".encode(), 1),
        (f"\ufeff [{JSON}, 7]", 2),
        (f"{JSON}\n{JSON}".encode(), 2),
        (b"[]", 0),
        ([], 0),
    ],
)
def test_what_counts_as_many(producer: SignalProducer, many: Any, count: int) -> None:
    receipts = producer.send(many)
    assert isinstance(receipts, list)
    assert len(receipts) == count


def test_bad_ones_stop_nobody_and_order_is_kept(producer: SignalProducer, queue: NotedQueue) -> None:
    mixed: list[Any] = [order("a"), order("b", percent="-1"), 5, order("c"), "{"]
    receipts = producer.send(mixed)
    assert [receipt.status for receipt in receipts] == [
        "accepted",
        "invalid",
        "invalid",
        "accepted",
        "invalid",
    ]
    assert [receipt.connector for receipt in receipts] == ["a", None, None, "c", None]
    assert [item.connector for item in queue.batches[0]] == ["a", "c"]


def test_nothing_valid_asks_nobody(producer: SignalProducer, queue: NotedQueue, bell: NotedBell) -> None:
    producer.send([order(percent="-1")])
    assert queue.batches == []
    assert bell.rings == []


def test_large_input_is_cut_into_batches_as_it_is_read(producer: SignalProducer, queue: NotedQueue) -> None:
    read = itertools.count(1)
    drawn: list[int] = []

    def endless() -> Iterator[dict[str, object]]:
        for number in range(1001):
            drawn.append(next(read) - len(queue.batches) * 200)
            yield order(f"c{number}")

    receipts = producer.send(endless())
    assert [receipt.connector for receipt in receipts] == [f"c{number}" for number in range(1001)]
    assert [len(batch) for batch in queue.batches] == [200] * 5 + [1]
    assert max(drawn) <= 200


def test_keys_for_many(producer: SignalProducer, queue: NotedQueue) -> None:
    receipts = producer.send((order() for _ in range(3)), idempotency_key=["k1", None, "bad\n"])
    assert [receipt.status for receipt in receipts] == ["accepted", "accepted", "invalid"]
    assert [item.idempotency_key for item in queue.batches[0]] == ["k1", None]


@pytest.mark.parametrize(
    ("signals", "arguments", "why"),
    [
        ([order(), order()], {"idempotency_key": "k"}, "give a list, one each"),
        ([order(), order()], {"idempotency_key": ["k"]}, "2 signals came with 1 idempotency keys"),
        (order(), {"idempotency_key": ["k"]}, "a single idempotency key"),
        (order(), {"idempotency_key": ""}, "printable"),
        (order(), {"max_age": 0}, "max_age"),
        ([order()], {"dedup_window": -1}, "dedup_window"),
    ],
)
def test_bad_arguments_send_nothing(
    producer: SignalProducer, queue: NotedQueue, signals: Any, arguments: dict[str, Any], why: str
) -> None:
    with pytest.raises(InvalidSignal, match=why):
        producer.send(signals, **arguments)
    assert queue.batches == []


def test_terms_of_a_call(producer: SignalProducer, queue: NotedQueue) -> None:
    producer.send(order(), max_age=7, dedup_window=9)
    assert (queue.batches[0][0].max_age_ms, queue.batches[0][0].window_ms) == (7000, 9000)


def test_an_interrupted_call_tells_what_is_certain(producer: SignalProducer, queue: NotedQueue) -> None:
    queue.failure, queue.fails_at = QueueUnavailable("Redis does not answer:\nrefused."), 2
    with pytest.raises(QueueUnavailable, match="refused") as caught:
        producer.send([order() for _ in range(700)])
    error = caught.value
    assert isinstance(error, Interrupted)
    assert [receipt.ok for receipt in error.receipts] == [True] * 200
    assert "200 signals have their receipts" in str(error)
    assert "sending again is safe with the same" in str(error)
    assert "\n" not in str(error)


def test_one_that_is_interrupted_has_no_receipt(producer: SignalProducer, queue: NotedQueue) -> None:
    queue.failure = QueueUnusable("Redis refuses: NOAUTH")
    with pytest.raises(QueueUnusable, match="NOAUTH; what was sent may or may not have been taken") as caught:
        producer.send(order())
    assert isinstance(caught.value, Interrupted)
    assert not isinstance(caught.value, NotSent)
    assert caught.value.receipts == []


def test_of_what_never_reached_redis_it_is_said_that_nothing_was_sent(
    producer: SignalProducer, queue: NotedQueue
) -> None:
    queue.failure = QueueUnreached("Redis does not answer: nobody listens there")
    with pytest.raises(
        NotSent, match=r"listens there \(is SIGNALS_REDIS_URL right\?\); nothing was sent$"
    ) as caught:
        producer.send([order() for _ in range(700)])
    assert isinstance(caught.value, Interrupted)
    assert isinstance(caught.value, QueueUnavailable)
    assert caught.value.receipts == []


def test_where_redis_went_away_between_two_batches_the_first_is_certain_and_so_is_the_rest(
    producer: SignalProducer, queue: NotedQueue
) -> None:
    queue.failure, queue.fails_at = QueueUnreached("Redis does not answer: nobody listens there"), 2
    with pytest.raises(
        Interrupted, match=r"200 signals have their receipts, the others were not sent$"
    ) as caught:
        producer.send([order() for _ in range(700)])
    assert len(caught.value.receipts) == 200
    assert isinstance(caught.value, QueueUnavailable)
    assert not isinstance(caught.value, NotSent), "something was sent"


def test_a_closed_producer_says_so(producer: SignalProducer) -> None:
    producer.close()
    producer.close()
    with pytest.raises(RuntimeError, match="closed"):
        producer.send(order())


def test_a_signal_without_a_token_is_refused_at_once(producer: SignalProducer, queue: NotedQueue) -> None:
    receipt = producer.send({"connectorName": "alpha", "action": "buy"})
    assert isinstance(receipt, Receipt)
    assert (receipt.status, receipt.error) == ("invalid", "`connectorToken` is required")
    assert queue.batches == []
