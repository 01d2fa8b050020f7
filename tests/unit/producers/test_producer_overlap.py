"""How the batches of one call overlap: the next is checked, never sent, while one is on its way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from producers import Interrupted, QueueUnavailable, SignalProducer
from worker.lanes import Admission, AdmitAnswer, Admitted
from worker.settings import load_settings

ORDER = {"connectorName": "alpha", "connectorToken": "token", "action": "buy", "percent": "1"}


class EarlyQueue:
    """Notes when it is given a batch and when it is asked for the answer."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.fails_at = 0
        self.calls = 0

    def admit(self, batch: Sequence[Admission], *, in_order: bool) -> AdmitAnswer:
        return self.begin(batch, in_order=in_order).answer()

    def begin(self, batch: Sequence[Admission], *, in_order: bool) -> Begun:
        self.calls += 1
        self.events.append(f"begin {self.calls}")
        return Begun(self, self.calls, len(batch))


class Begun:
    def __init__(self, queue: EarlyQueue, number: int, size: int) -> None:
        self._queue, self._number, self._size = queue, number, size

    def answer(self) -> AdmitAnswer:
        self._queue.events.append(f"answer {self._number}")
        if self._number == self._queue.fails_at:
            raise QueueUnavailable("Redis does not answer")
        return AdmitAnswer(now_ms=1000, results=(Admitted("accepted"),) * self._size)

    def drop(self) -> None:
        self._queue.events.append(f"drop {self._number}")


class Deaf:
    def ring(self, lanes: object) -> None: ...
    def wake(self, slots_ms: object, now_ms: int) -> None: ...


class Noted(Mapping[str, object]):
    """An order that does something when it is looked at."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act

    def __getitem__(self, name: str) -> object:
        return ORDER[name]

    def __iter__(self) -> Iterator[str]:
        self._act()
        return iter(ORDER)

    def __len__(self) -> int:
        return len(ORDER)


@pytest.fixture
def queue() -> EarlyQueue:
    return EarlyQueue()


@pytest.fixture
def producer(queue: EarlyQueue) -> Iterator[SignalProducer]:
    settings = load_settings(redis_url="redis://127.0.0.1:1/0")
    with SignalProducer(settings=settings, queue=queue, bell=Deaf()) as made:
        yield made


def in_batch(number: int, one: object) -> list[Any]:
    """Orders of which this one is the first of that batch."""
    return [*[ORDER] * (200 * (number - 1)), one, *[ORDER] * 399]


def fail(error: type[BaseException]) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


def test_the_next_batch_is_checked_before_the_answer_and_sent_after_it(
    producer: SignalProducer, queue: EarlyQueue
) -> None:
    checked = Noted(lambda: queue.events.append("check 2"))
    assert len(producer.send(in_batch(2, checked))) == 600
    assert queue.events == [
        *["begin 1", "check 2", "answer 1"],
        *["begin 2", "answer 2"],
        *["begin 3", "answer 3"],
    ]


def test_an_iterator_is_not_waited_for_with_a_batch_on_its_way(
    producer: SignalProducer, queue: EarlyQueue
) -> None:
    def slow() -> Iterator[dict[str, Any]]:
        for number in range(400):
            queue.events += ["read on"] if number == 200 else []
            yield ORDER

    producer.send(slow())
    assert queue.events == ["begin 1", "answer 1", "read on", "begin 2", "answer 2"]


def test_nothing_is_sent_after_a_batch_that_failed(producer: SignalProducer, queue: EarlyQueue) -> None:
    queue.fails_at = 2
    with pytest.raises(Interrupted) as caught:
        producer.send([ORDER] * 900)
    assert len(caught.value.receipts) == 200
    assert queue.events[-1] == "answer 2"
    assert "begin 3" not in queue.events


def test_what_is_wrong_with_a_batch_hides_nothing_of_the_one_before(
    producer: SignalProducer, queue: EarlyQueue
) -> None:
    with pytest.raises(ZeroDivisionError):
        producer.send(in_batch(2, Noted(fail(ZeroDivisionError))))
    assert queue.events == ["begin 1", "answer 1"]

    queue.events.clear()
    queue.fails_at = 2  # the first batch of this call
    with pytest.raises(Interrupted) as caught:
        producer.send(in_batch(2, Noted(fail(ZeroDivisionError))))
    assert caught.value.receipts == []


def test_who_is_told_to_end_at_once_does_not_wait(producer: SignalProducer, queue: EarlyQueue) -> None:
    with pytest.raises(KeyboardInterrupt):
        producer.send(in_batch(2, Noted(fail(KeyboardInterrupt))))
    assert queue.events == ["begin 1", "drop 1"]
