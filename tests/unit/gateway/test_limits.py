"""Rates: a second's worth at once, then one by one; silent names are forgotten."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.gateway.limits import MANY, Limiter, Shares
from producers.gateway.problems import Problem


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_seconds_worth_at_once_and_then_one_by_one(clock: Clock) -> None:
    limiter = Limiter(clock)
    assert [limiter.take("key", "a", 5) for _ in range(7)] == [True] * 5 + [False] * 2
    assert limiter.take("key", "b", 5)
    assert limiter.take("webhook", "a", 5)
    clock.now += 0.2
    assert [limiter.take("key", "a", 5) for _ in range(2)] == [True, False]


def test_less_than_one_a_second(clock: Clock) -> None:
    limiter = Limiter(clock)
    assert [limiter.take("key", "a", 0.1) for _ in range(2)] == [True, False]
    clock.now += 9.9
    assert not limiter.take("key", "a", 0.1)
    clock.now += 0.2
    assert limiter.take("key", "a", 0.1)


def test_many_at_once_are_let_in_and_paid_for(clock: Clock) -> None:
    limiter = Limiter(clock)
    assert limiter.take("key", "a", 5, count=500)
    assert limiter.wait("key", "a", 5) == 100
    clock.now += 99
    assert not limiter.take("key", "a", 5)
    clock.now += 1
    assert limiter.take("key", "a", 5, count=5)


def test_what_turns_out_later_is_owed(clock: Clock) -> None:
    limiter = Limiter(clock)
    assert limiter.take("key", "a", 5)
    limiter.owe("key", "a", 5, 9)
    assert limiter.wait("key", "a", 5) == 2
    clock.now += 1
    assert not limiter.take("key", "a", 5)
    clock.now += 1
    assert limiter.take("key", "a", 5)


def test_a_share_leaves_room_for_others() -> None:
    shares = Shares(10)
    with shares.hold("a", 500):  # larger than it, and alone
        with pytest.raises(Problem) as refused, shares.hold("a", 1):
            pass
        assert (refused.value.status, refused.value.headers["Retry-After"]) == (503, "1")
        with shares.hold("b", 9), shares.hold("b", 1), pytest.raises(Problem):
            shares.check("b")
    shares.check("a")


def test_no_limit(clock: Clock) -> None:
    assert all(Limiter(clock).take("key", "a", 0) for _ in range(100))


def test_names_that_are_silent_are_forgotten(clock: Clock) -> None:
    limiter = Limiter(clock)
    for number in range(3 * MANY):
        clock.now += 0.001
        assert limiter.take("webhook", str(number), 1.0)
    assert len(limiter._free) <= 2 * MANY


@given(st.floats(0.01, 1000), st.lists(st.floats(0, 2), max_size=60))
def test_never_more_than_the_rate_and_a_second(rate: float, pauses: list[float]) -> None:
    clock = Clock()
    limiter, taken = Limiter(clock), 0
    for pause in pauses:
        clock.now += pause
        taken += limiter.take("key", "a", rate)
    assert taken <= max(1.0, rate) + rate * sum(pauses) + 1e-6
