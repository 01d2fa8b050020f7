"""A wedged worker is told from one that has nothing to do, or cannot do it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from worker.watchdog import Progress, Watchdog

BOUND = 40.0
IDLE = Progress(in_flight=0, free_places=4, rings_in_hand=0, taken_mark=1, written_mark=1)
BUSY = replace(IDLE, in_flight=1, free_places=3)
FULL = replace(IDLE, in_flight=4, free_places=0)


def looks(seen: Iterable[tuple[Progress, int | None]], every: float = 10.0) -> list[str | None]:
    """What is said at looks ``every`` so many seconds."""
    now = 0.0
    dog = Watchdog(BOUND, lambda: now)
    told = []
    for progress, queue in seen:
        told.append(dog.look(progress, queue))
        now += every
    return told


@pytest.mark.parametrize(
    ("progress", "queue", "words"),
    [
        (IDLE, 3, "rings wait"),
        (replace(IDLE, rings_in_hand=4), 0, "rings wait"),
        (BUSY, 0, "no outcome written"),
        (FULL, 7, "no outcome written"),
        (replace(BUSY, rings_in_hand=1), 3, "no outcome written"),
    ],
)
def test_wedged(progress: Progress, queue: int, words: str) -> None:
    told = looks([(progress, queue)] * 6)
    assert told[:5] == [None] * 5, "not before the bound is over"
    assert told[5] is not None
    assert words in told[5]


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param([(IDLE, 0)] * 20, id="nothing to do, or all of it paused, parked or held"),
        pytest.param([(IDLE, None), (BUSY, None)] * 10, id="Redis is away"),
        pytest.param([(BUSY, None)] * 20, id="Redis is away with POSTs in flight"),
        pytest.param([(replace(FULL, rings_in_hand=4, written_mark=n), 9) for n in range(20)], id="no room"),
        pytest.param([(replace(IDLE, taken_mark=n), 9) for n in range(20)], id="more work than it can take"),
        pytest.param([(IDLE, n % 4) for n in range(20)], id="others take them"),
        pytest.param([(IDLE, 3), (IDLE, 3), (IDLE, 3), (IDLE, None)] * 5, id="Redis comes and goes"),
        pytest.param([(BUSY, 0), (BUSY, 0), (IDLE, 0)] * 7, id="one thing after the other"),
    ],
)
def test_not_wedged(seen: list[tuple[Progress, int | None]]) -> None:
    assert looks(seen) == [None] * len(seen)


def test_a_long_time_between_two_looks_proves_nothing() -> None:
    assert looks([(BUSY, None), (BUSY, 0)], every=1000) == [None, None]


def test_who_asks_redis_in_vain_is_not_wedged() -> None:
    now = 0.0
    dog = Watchdog(BOUND, lambda: now)
    for _ in range(20):
        now += 10.0
        dog.called("checkout", 0.1, answered=False)
        assert dog.look(replace(BUSY, rings_in_hand=2), 5) is None
    for _ in range(5):
        dog.called("wake", 0.1, answered=True)
        assert dog.look(BUSY, 5) is None
        now += 10.0
    assert dog.look(BUSY, 5) is not None


def test_it_may_recover() -> None:
    told = looks([*[(IDLE, 1)] * 6, (replace(IDLE, taken_mark=2), 1)])
    assert told[5] is not None
    assert told[6] is None
