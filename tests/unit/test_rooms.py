"""Places that are waited for: nobody who could have one is left waiting."""

from __future__ import annotations

import threading

from worker.rooms import Room

PATIENCE = 5.0
"""Seconds until a thread that should have gone on counts as stuck."""


def guests(room: Room, count: int, wanted: int = 1) -> tuple[list[threading.Thread], list[int]]:
    """Threads that each want places, and what they got."""
    got: list[int] = []
    threads = [threading.Thread(target=lambda: got.append(room.enter(wanted))) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, got


def join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "a place is free, but nobody was told"


def test_one_gets_no_more_than_it_wants_and_than_there_are() -> None:
    room = Room(4)
    assert [room.enter(3), room.enter(3)] == [3, 1]
    assert (room.taken, room.free) == (4, 0)


def test_places_that_are_left_together_serve_all_who_wait() -> None:
    room = Room(4)
    room.enter(4)
    threads, got = guests(room, 4)
    room.leave(4)
    join(threads)
    assert got == [1, 1, 1, 1]


def test_who_waits_for_places_does_not_take_the_news_from_who_waits_for_the_end() -> None:
    room = Room(2)
    room.enter(2)
    empty: list[bool] = []
    ending = threading.Thread(target=lambda: empty.append(room.wait_until_empty(PATIENCE)))
    ending.start()
    threads, got = guests(room, 1)
    room.leave(1)
    join(threads)
    room.leave(2)
    join([ending])
    assert (got, empty) == ([1], [True])


def test_a_closed_room_lets_everybody_who_waits_go() -> None:
    room = Room(1)
    room.enter(1)
    threads, got = guests(room, 3)
    room.close()
    join(threads)
    assert got == [0, 0, 0]
    assert not room.wait_until_empty(0.01)
