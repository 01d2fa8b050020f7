"""The dispatcher's threads, with everything outside faked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import SimpleNamespace

import pytest

from demo.stack import eventually
from tests.unit.fakes import FakeBell, FakeLanes, FakeObserver, FakePoster, make_head
from worker.dispatch import Dispatcher
from worker.errors import QueueUnusable
from worker.handling import Handler, Pace
from worker.lanes import CheckoutAnswer, Outcome, SettleAnswer, Settlement
from worker.policy import Policy
from worker.verdict import Attempt, Verdict


class House:
    def __init__(self, lanes: FakeLanes, poster: FakePoster, threads: int = 4) -> None:
        self.lanes, self.poster = lanes, poster
        self.bell, self.observer = FakeBell(), FakeObserver()
        stopping = threading.Event()
        handler = Handler(
            poster=poster,
            observer=self.observer,
            compose=lambda head: head.id.encode(),
            policy=lambda _lane: Policy(),
            pace=Pace(),
            stopping=stopping.is_set,
        )
        self.dispatcher = Dispatcher(
            lanes=lanes,
            bell=self.bell,
            observer=self.observer,
            handler=handler,
            threads=threads,
            stopping=stopping,
        )
        self.dispatcher.start()

    def until_idle(self) -> None:
        eventually(lambda: self.dispatcher.in_flight == 0, within=5, what="nothing is in flight")


@pytest.fixture
def house() -> Iterator[Callable[..., House]]:
    houses: list[House] = []

    def build(lanes: FakeLanes, poster: FakePoster | None = None, threads: int = 4) -> House:
        houses.append(House(lanes, poster or FakePoster(), threads))
        return houses[-1]

    yield build
    for one in houses:
        one.dispatcher.stop(0.5)


def test_every_signal_of_every_lane_is_posted_once_and_in_order(house: Callable[..., House]) -> None:
    heads = [make_head(lane, number) for number in range(20) for lane in "abcdefgh"]
    one = house(FakeLanes(*heads))
    one.dispatcher.drain(list("abcdefgh"))
    eventually(lambda: len(one.lanes.settled) == len(heads), within=5, what="all are settled")
    posted = [body.decode() for body in one.poster.posted]
    assert sorted(posted) == sorted(head.id for head in heads)
    for lane in "abcdefgh":
        assert [p for p in posted if p.startswith(lane)] == [f"{lane}-{n}" for n in range(20)]
    assert set(one.observer.outcomes.values()) == {Outcome.ACCEPTED}


def test_a_drain_waits_for_room_and_not_for_slow_lanes(house: Callable[..., House]) -> None:
    released = threading.Event()

    def slow(body: bytes) -> Attempt:
        if body.startswith(b"slow"):
            released.wait(5)
        return Attempt(Verdict.ACCEPTED, "200", 0.0)

    one = house(
        FakeLanes(make_head("slow"), *(make_head(f"q{n}") for n in range(20))), FakePoster(slow), threads=2
    )
    one.dispatcher.drain(["slow", *(f"q{n}" for n in range(20))])
    eventually(lambda: len(one.lanes.settled) == 20, within=5, what="the quick ones are settled")
    assert "slow-1" not in one.lanes.outcomes
    released.set()
    one.until_idle()
    assert one.lanes.outcomes["slow-1"] is Outcome.ACCEPTED


def test_what_was_posted_is_written_down_however_long_redis_is_away(house: Callable[..., House]) -> None:
    lanes = FakeLanes(make_head())

    def lose_redis(body: bytes) -> Attempt:
        lanes.failures = 2
        return Attempt(Verdict.ACCEPTED, "200", 0.0)

    one = house(lanes, FakePoster(lose_redis))
    one.dispatcher.drain(["a"])
    eventually(lambda: one.lanes.outcomes, within=10, what="the outcome is written")
    assert one.poster.posted == [b"a-1"]
    assert one.observer.told.count("trouble settle") == 2


def test_a_failed_checkout_costs_no_room(house: Callable[..., House]) -> None:
    lanes = FakeLanes(make_head())
    one = house(lanes, threads=1)
    lanes.failures = 1
    one.dispatcher.drain(["a"])
    assert one.dispatcher.in_flight == 0
    one.dispatcher.drain(["a"])
    eventually(lambda: one.lanes.outcomes, within=5, what="the next ring is served")


def test_a_spoilt_lane_spoils_only_itself(house: Callable[..., House]) -> None:
    class Spoilt(FakeLanes):
        def checkout(self, lanes: Iterable[str], token: str) -> CheckoutAnswer:
            if "bad" in (names := list(lanes)):
                raise QueueUnusable("Redis refuses: WRONGTYPE")
            return super().checkout(names, token)

    one = house(Spoilt(make_head("a"), make_head("bad"), make_head("b")))
    one.dispatcher.drain(["a", "bad", "b"])
    one.until_idle()
    assert one.lanes.outcomes == {"a-1": Outcome.ACCEPTED, "b-1": Outcome.ACCEPTED}


def test_verdicts_of_many_posts_are_written_together(
    house: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a pause of the committer that lasts until all have answered
    batches: list[int] = []

    class Counting(FakeLanes):
        def settle(self, batch: Sequence[Settlement]) -> SettleAnswer:
            batches.append(len(batch))
            return super().settle(batch)

    def pause(seconds: float) -> None:
        if threading.current_thread().name == "committer":
            eventually(lambda: one.dispatcher._done.qsize() == 15, within=5, what="all have answered")

    monkeypatch.setattr("worker.dispatch.time", SimpleNamespace(sleep=pause))
    # When they are many
    one = house(Counting(*(make_head(f"l{n}") for n in range(16))), threads=16)
    one.dispatcher.drain([f"l{n}" for n in range(16)])
    one.until_idle()

    # Then they are written in one go, or in two if the first look found half of them
    assert sum(batches) == 16
    assert len(batches) <= 2


def test_the_verdict_of_a_lonely_post_is_not_held_up(
    house: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("worker.dispatch.time", SimpleNamespace(sleep=pauses.append))
    one = house(FakeLanes(*(make_head("a", n) for n in range(5))))
    one.dispatcher.drain(["a"])
    one.until_idle()
    assert len(one.lanes.settled) == 5
    assert pauses == []


def test_a_retry_arms_a_wake_up_and_frees_the_place(house: Callable[..., House]) -> None:
    one = house(FakeLanes(make_head()), FakePoster(lambda _body: Attempt(Verdict.UNSENT, "503", 0.0)))
    one.dispatcher.drain(["a"])
    eventually(lambda: one.bell.slots, within=5, what="a wake-up is armed")
    one.until_idle()
    assert len(one.lanes.deferred) == 1


def test_an_internal_error_after_the_fact_is_unknown_and_kills_no_thread(house: Callable[..., House]) -> None:
    def broken(body: bytes) -> Attempt:
        raise ZeroDivisionError

    one = house(FakeLanes(make_head("a"), make_head("b")), FakePoster(broken), threads=1)
    one.dispatcher.drain(["a"])
    one.until_idle()
    one.dispatcher.drain(["b"])
    one.until_idle()
    assert one.lanes.outcomes == {"a-1": Outcome.UNKNOWN, "b-1": Outcome.UNKNOWN}


def test_stopping_finishes_what_is_in_flight_and_gives_the_rest_back(house: Callable[..., House]) -> None:
    begun, released = threading.Event(), threading.Event()

    def slow(body: bytes) -> Attempt:
        begun.set()
        released.wait(5)
        return Attempt(Verdict.ACCEPTED, "200", 0.0)

    one = house(
        FakeLanes(make_head("a", 1), make_head("a", 2), make_head("b", 1)), FakePoster(slow), threads=1
    )
    drain = threading.Thread(target=one.dispatcher.drain, args=(["a", "b"],))
    drain.start()
    assert begun.wait(5)
    one.dispatcher.begin_stop()
    drain.join(5)
    assert not drain.is_alive(), "a drain that waits for room returns at once"
    assert one.bell.rung == ["b"]
    released.set()
    assert one.dispatcher.stop(5)
    assert one.poster.posted == [b"a-1"]
    assert one.lanes.outcomes == {"a-1": Outcome.ACCEPTED}


def test_a_second_signal_comes_while_the_first_is_answered(house: Callable[..., House]) -> None:
    # given: an event is set under a lock that the same thread would wait for in vain
    one = house(FakeLanes())
    told = 0

    def tell() -> None:
        nonlocal told
        told += 1
        one.dispatcher.begin_stop()

    one.dispatcher._stopping.set = tell  # type: ignore[method-assign]
    # when
    one.dispatcher.begin_stop()
    # then
    assert told == 1
    assert one.dispatcher.stop(1.0)


def test_a_stop_does_not_wait_longer_than_told(house: Callable[..., House]) -> None:
    begun, released = threading.Event(), threading.Event()

    def stuck(body: bytes) -> Attempt:
        begun.set()
        released.wait(5)
        return Attempt(Verdict.ACCEPTED, "200", 0.0)

    one = house(FakeLanes(make_head()), FakePoster(stuck))
    one.dispatcher.drain(["a"])
    assert begun.wait(5)
    assert not one.dispatcher.stop(0.05)
    released.set()


def test_a_place_is_never_lost(house: Callable[..., House]) -> None:
    verdicts = iter([Verdict.ACCEPTED, Verdict.UNSENT, Verdict.UNKNOWN, Verdict.REJECTED] * 25)
    lock = threading.Lock()

    def mixed(body: bytes) -> Attempt:
        with lock:
            return Attempt(next(verdicts), "x", 0.0)

    one = house(FakeLanes(*(make_head(f"l{n}") for n in range(100))), FakePoster(mixed), threads=3)
    one.dispatcher.drain([f"l{n}" for n in range(100)])
    one.until_idle()
    assert len(one.lanes.settled) + len(one.lanes.deferred) == 100


def test_progress_shows_in_its_marks(house: Callable[..., House]) -> None:
    released = threading.Event()

    def slow(body: bytes) -> Attempt:
        released.wait(5)
        return Attempt(Verdict.ACCEPTED, "200", 0.0)

    one = house(FakeLanes(make_head(rung_ms=400)), FakePoster(slow), threads=2)
    idle = one.dispatcher.progress()
    assert (idle.in_flight, idle.free_places, idle.rings_in_hand) == (0, 2, 0)
    one.dispatcher.drain(["a"])
    busy = one.dispatcher.progress()
    assert (busy.in_flight, busy.free_places, busy.rings_in_hand) == (1, 1, 0)
    assert busy.taken_mark != idle.taken_mark
    assert busy.written_mark != idle.written_mark, "the clock starts when there is something to write"
    assert one.dispatcher.progress() == busy
    released.set()
    one.until_idle()
    eventually(
        lambda: one.dispatcher.progress().written_mark != busy.written_mark, within=5, what="a step is seen"
    )
    assert "taken 0.6" in one.observer.told
