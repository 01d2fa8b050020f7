"""Every job is done once, none waits behind one that is stuck, and no thread is woken for nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.stack import eventually
from worker.crew import FULL, FULL_FOR_MANY, MANY, SPAN, Crew, Gauge

PATIENCE = 5.0


class Processor:
    """Of each span that goes by, which is from one look to the next, this process has ``share``."""

    def __init__(self, share: float) -> None:
        self.share = share
        self._now = self._used = 0.0

    def clock(self) -> float:
        self._now += SPAN
        self._used += SPAN * self.share
        return self._now

    def used(self) -> float:
        return self._used


@contextmanager
def crew(size: int, work: Callable[[int], None], processor: Processor) -> Iterator[Crew[int]]:
    one = Crew(size, work, name="hand", clock=processor.clock, used=processor.used)
    one.start()
    assert one.alive
    yield one
    one.end()
    one.join(PATIENCE)
    assert not any(thread.is_alive() for thread in one._threads), "a thread was not told to go"


def test_while_the_processor_has_time_each_job_has_a_thread() -> None:
    # given eight jobs that all wait for each other
    together = threading.Barrier(8)
    met: list[int] = []

    def work(job: int) -> None:
        met.append(together.wait(PATIENCE))

    # when they come in several calls
    with crew(8, work, Processor(0.1)) as hands:
        for start in (0, 1, 4):
            hands.put(range(start, {0: 1, 1: 4, 4: 8}[start]))
        # then all are worked on at once
        eventually(lambda: len(met) == 8, within=PATIENCE, what="they meet")


def test_while_the_processor_is_full_the_one_at_work_does_it_all() -> None:
    done: list[int] = []
    at_work: list[int] = []
    most = 0

    def work(job: int) -> None:
        nonlocal most
        at_work.append(job)
        most = max(most, len(at_work))
        at_work.remove(job)
        done.append(job)

    with crew(8, work, Processor(1.0)) as hands:
        for start in range(0, 1000, 10):
            hands.put(range(start, start + 10))
        eventually(lambda: len(done) == 1000, within=PATIENCE, what="all is done")
    assert most == 1


def test_one_thread_begins_jobs_in_the_order_in_which_they_came() -> None:
    done: list[int] = []
    with crew(1, done.append, Processor(1.0)) as hands:
        for start in range(0, 100, 10):
            hands.put(range(start, start + 10))
        eventually(lambda: len(done) == 100, within=PATIENCE, what="all is done")
    assert done == list(range(100))


@pytest.mark.parametrize(
    "share_then", [0.0, 1.0], ids=["nothing else to do", "something else fills the processor"]
)
def test_jobs_behind_one_that_is_stuck_are_not(share_then: float) -> None:
    # given a processor that is full, so that one thread is sent for all jobs
    processor = Processor(1.0)
    stuck, freed = threading.Event(), threading.Event()
    done: list[int] = []

    def work(job: int) -> None:
        if job == 0:
            stuck.set()
            assert freed.wait(PATIENCE)
        done.append(job)

    with crew(4, work, processor) as hands:
        hands.put([0, 1, 2, 3, 4, 5])
        # when that one waits for an answer that does not come, which needs no processor
        assert stuck.wait(PATIENCE)
        processor.share = share_then
        # then others take over, although nothing more is put
        eventually(lambda: sorted(done) == [1, 2, 3, 4, 5], within=PATIENCE, what="the others are done")
        freed.set()
    assert sorted(done) == [0, 1, 2, 3, 4, 5]


class MomentBefore:
    """A lock that has something happen just before it is taken by a thread of the crew, once."""

    def __init__(self, lock: threading.Lock, happens: Callable[[], None]) -> None:
        self._lock = lock
        self._happens: Callable[[], None] | None = happens

    def __enter__(self) -> None:
        happens = self._happens
        if happens is not None and threading.current_thread().name.startswith("hand-"):
            self._happens = None
            happens()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_a_job_that_comes_as_a_thread_goes_to_rest_is_done() -> None:
    done: list[int] = []
    with crew(1, done.append, Processor(1.0)) as hands:
        # given a thread that has seen no more jobs, and has not said yet that it rests
        hands._lock = MomentBefore(hands._lock, lambda: hands.put([2]))  # type: ignore[assignment]
        # when a job comes at that very moment, for which nobody is woken
        hands.put([1])
        # then it is done all the same
        eventually(lambda: done == [1, 2], within=PATIENCE, what="both are done")


def test_nothing_is_left_undone_at_the_end() -> None:
    done: list[int] = []
    with crew(3, done.append, Processor(1.0)) as hands:
        hands.put(range(500))
    assert sorted(done) == list(range(500))


@given(
    size=st.integers(1, 4),
    batches=st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0.0, 0.5, 1.0])), max_size=12),
)
def test_every_job_is_done_once(size: int, batches: list[tuple[int, float]]) -> None:
    processor = Processor(0.0)
    done: list[int] = []
    given_out = 0
    with crew(size, done.append, processor) as hands:
        for count, share in batches:
            processor.share = share
            hands.put(range(given_out, given_out + count))
            given_out += count
        eventually(lambda: len(done) == given_out, within=PATIENCE, what="all is done", pause=0.001)
    assert sorted(done) == list(range(given_out))


def test_the_processor_is_judged_over_a_span_and_not_from_moment_to_moment() -> None:
    now = used = 0.0
    gauge = Gauge(lambda: now, lambda: used)
    assert gauge.share() == 0
    now, used = SPAN / 2, SPAN / 2
    assert gauge.share() == 0, "too soon to tell"
    now, used = SPAN, SPAN / 2
    assert gauge.share() == 0.5
    now = SPAN * 1.5
    assert gauge.share() == 0.5, "too soon to tell"
    now = SPAN * 2
    assert gauge.share() == 0


@pytest.mark.parametrize(("at_work", "enough"), [(MANY, False), (MANY + 1, True)])
def test_where_many_wait_for_answers_more_of_them_are_of_use_for_longer(at_work: int, enough: bool) -> None:
    # given so many who wait, and a processor that is fuller than some may fill it
    freed = threading.Event()
    begun: list[int] = []

    def work(job: int) -> None:
        begun.append(job)
        if job < at_work:
            assert freed.wait(PATIENCE)

    processor = Processor(0.0)
    with crew(at_work + 1, work, processor) as hands:
        hands.put(range(at_work))
        eventually(lambda: len(begun) == at_work, within=PATIENCE, what="all wait")
        processor.share = (FULL + FULL_FOR_MANY) / 2
        # when another job comes, then it is begun at once if they are many
        hands._gauge.share()
        hands._overseeing = True  # so that nobody is called to look after it
        hands.put([at_work])
        assert (hands._resting == 0) is enough
        freed.set()
        eventually(lambda: len(begun) == at_work + 1, within=PATIENCE, what="all is begun")
