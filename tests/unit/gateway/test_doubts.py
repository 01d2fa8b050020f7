"""Messages whose senders were not told: known by their text for a minute, and no longer."""

from __future__ import annotations

import pytest

from producers.gateway.doubts import KNOWN, MOST, Doubts


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_message_that_comes_again_has_the_ids_of_the_first_once(clock: Clock) -> None:
    doubts = Doubts(clock)
    doubts.note("buy", {"alpha": "1"})
    assert doubts.settle("sell") == {}
    assert doubts.settle("buy") == {"alpha": "1"}
    assert doubts.settle("buy") == {}


def test_of_two_alike_each_may_come_again(clock: Clock) -> None:
    doubts = Doubts(clock)
    doubts.note("buy", {"alpha": "1"})
    doubts.note("buy", {"alpha": "2"})
    assert [doubts.settle("buy") for _ in range(3)] == [{"alpha": "1"}, {"alpha": "2"}, {}]


def test_after_its_window_it_is_another(clock: Clock) -> None:
    doubts = Doubts(clock)
    doubts.note("buy", {"alpha": "1"})
    clock.now += KNOWN
    assert doubts.settle("buy") == {}


def test_what_is_over_and_what_is_too_much_is_forgotten(clock: Clock) -> None:
    doubts = Doubts(clock)
    doubts.note("old", {})
    clock.now += KNOWN
    for number in range(MOST + 5):
        doubts.note(str(number), {"alpha": str(number)})
    assert len(doubts._noted) == MOST
    assert doubts.settle("4") == {}
    assert doubts.settle("5") == {"alpha": "5"}
