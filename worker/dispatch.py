"""The heart of a worker: lanes in, POSTs out, outcomes written down.

    drain ──heads──▶ work ──▶ posting threads ──verdicts──▶ done ──▶ committer ──▶ Redis
      ▲ waits for room           (many)                            (one)  │
      └────────────────────────────◀── the lane's next head ──────────────┘

A lane that is taken in holds one place until it is given back, so no more lanes are leased than can be
posted at once. The committer writes everything that has come in since its last call in one go.
This module knows no Celery, Redis, requests or Prometheus: those stand behind its ports.
"""

from __future__ import annotations

import itertools
import queue
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import TypeVar

from worker import crash
from worker.clock import steady
from worker.crew import Crew
from worker.errors import QueueUnavailable
from worker.events import Observer
from worker.handling import Handler, Job
from worker.ports import Bell, Queue
from worker.records import Answer, Deferral, Outcome, Settlement
from worker.rooms import Room
from worker.watchdog import Progress

T = TypeVar("T")
Item = TypeVar("Item")

COMMIT_BATCH = 128
"""Verdicts written in one call; bounds how long Redis is busy with it."""
CROWD = 8
"""Lanes in flight from which on verdicts, and free places, are let gather: a call to Redis costs as much as a
POST, however much it carries. With fewer in flight nothing is held up."""
GATHERING = 0.001
"""Seconds that this takes at most."""
REFUSALS = 5
"""Times a single verdict is refused by Redis before its lane is left to its lease."""


class Dispatcher:
    """Posts the heads of the lanes it is given; see the picture above."""

    def __init__(
        self,
        *,
        lanes: Queue,
        bell: Bell,
        observer: Observer,
        handler: Handler,
        threads: int,
        stopping: threading.Event,
        clock: Callable[[], float] = steady,
    ) -> None:
        """``stopping`` is shared with ``handler``: once it is set, nothing new is begun."""
        self._lanes = lanes
        self._bell = bell
        self._observer = observer
        self._handler = handler
        self._stopping = stopping
        self._clock = clock
        self._room = Room(threads)
        self._door = threading.Lock()
        self._crew = Crew(threads, self._post, name="poster")
        self._done: queue.SimpleQueue[tuple[Job, Settlement | Deferral] | None] = queue.SimpleQueue()
        self._ending = False
        self._abandoned = threading.Event()
        self._name = uuid.uuid4().hex[:12]
        self._calls = itertools.count(1)
        self._committer = threading.Thread(target=self._commit_results, name="committer", daemon=True)
        self._in_hand = self._taken = self._written = 0
        self._counting = threading.Lock()

    def start(self) -> None:
        self._crew.start()
        self._committer.start()

    def begin_stop(self) -> None:
        """Take nothing new; what is in flight goes on. Returns at once; fit for a signal handler."""
        if not self._ending:  # a second signal may come while this answers the first
            self._ending = True
            self._stopping.set()
            self._room.close()

    def stop(self, timeout: float) -> bool:
        """Finish what is in flight and give all lanes back; False if ``timeout`` seconds were not enough."""
        self.begin_stop()
        crash.here("stopping")
        finished = self._room.wait_until_empty(timeout)
        self._abandoned.set()
        self._crew.end()
        self._done.put(None)
        if finished:
            self._crew.join(timeout=1.0)
            self._committer.join(timeout=1.0)
        return finished

    def abandoned(self) -> bool:
        """Whether waiting for Redis has become pointless because this worker is gone."""
        return self._abandoned.is_set()

    @property
    def in_flight(self) -> int:
        """Lanes in this worker's hands."""
        return self._room.taken

    def progress(self) -> Progress:
        """What has been done so far, for the watchdog."""
        in_flight = self.in_flight
        with self._counting:
            return Progress(in_flight, self._room.free, self._in_hand, self._taken, self._written)

    def drain(self, names: Sequence[str]) -> None:
        """Lease these lanes as room allows and hand them to the posting threads.

        Returns when all are handed over; lanes that a stopping worker does not take are rung again.
        """
        self._count(in_hand=1, taken=1)
        try:
            self._hand_over(names)
        finally:
            self._count(in_hand=-1, taken=1)

    def _hand_over(self, names: Sequence[str]) -> None:
        crash.here("rung")
        waiting = list(dict.fromkeys(names))
        while waiting:
            with self._door:  # one at a time: the fewer take part, the larger the parts
                self._let_gather(self._room.free)
                places = self._room.enter(len(waiting))
            if places == 0:
                crash.here("turned-away")
                self._bell.ring(waiting)
                return
            part, waiting = waiting[:places], waiting[places:]
            self._take(part, places)

    def _take(self, names: Sequence[str], places: int) -> None:
        if self.in_flight == places:
            self._count(written=1)  # nothing was in flight before: there was nothing to write
        self._checkout(names, f"{self._name}.{next(self._calls)}", self._clock())

    def _checkout(self, names: Sequence[str], token: str, asked_at: float) -> None:
        """Lease lanes, one place each has been taken for, and hand their heads to the posting threads.

        ``asked_at``: when ``token`` was first used, for leases under it may be as old as that.
        """
        try:
            answer = self._lanes.checkout(names, token)
        except QueueUnavailable as error:
            self._observer.trouble("checkout", error)
            self._room.leave(len(names))
            return
        except Exception as error:  # noqa: BLE001 - one lane may be spoilt, the others shall not suffer
            self._observer.trouble("checkout", error)
            if len(names) == 1:
                self._room.leave(1)
                return
            for name in names:  # by the same token: what the failed call did lease is ours
                self._checkout([name], token, asked_at)
            return
        crash.here("checked-out")
        self._room.leave(len(names) - len(answer.heads))
        self._crew.put([Job(head, asked_at, answer.now_ms, asked_at, 1) for head in answer.heads])
        for head in answer.heads:
            if head.rung_ms is not None:
                self._observer.taken(waited=max(0, answer.now_ms - head.rung_ms) / 1000)
        self._follow_up(answer)

    def _count(self, *, in_hand: int = 0, taken: int = 0, written: int = 0) -> None:
        with self._counting:
            self._in_hand += in_hand
            self._taken += taken
            self._written += written

    def _post(self, job: Job) -> None:
        try:
            result = self._handler.handle(job)
        except Exception as error:  # noqa: BLE001 - a thread that dies takes its place with it
            self._observer.trouble("post", error)
            result = Settlement(job.head, Outcome.UNKNOWN, f"internal error: {type(error).__name__}")
        crash.here("answered")
        self._done.put((job, result))

    def _commit_results(self) -> None:
        while (result := self._done.get()) is not None:
            results = [result]
            self._let_gather(self._done.qsize())
            while len(results) < COMMIT_BATCH and not self._done.empty():
                if (another := self._done.get()) is None:
                    self._commit_safely(results)
                    return
                results.append(another)
            self._commit_safely(results)
            self._count(written=1)

    def _let_gather(self, ready: int) -> None:
        """Wait a moment if much is in flight and little of it ``ready``: more of it is about to be."""
        in_flight = self._room.taken
        if in_flight >= CROWD and ready < in_flight // 2:
            time.sleep(GATHERING)

    def _commit_safely(self, results: list[tuple[Job, Settlement | Deferral]]) -> None:
        try:
            self._commit(results)
        except Exception as error:  # noqa: BLE001 - a committer that dies takes every lane with it
            self._observer.trouble("commit", error)

    def _commit(self, results: list[tuple[Job, Settlement | Deferral]]) -> None:
        settled = [(job, what) for job, what in results if isinstance(what, Settlement)]
        deferred = [what for _, what in results if isinstance(what, Deferral)]
        if settled:
            self._settle(settled)
        if deferred:
            self._defer(deferred)

    def _settle(self, settled: list[tuple[Job, Settlement]]) -> None:
        asked_at = self._clock()
        answer = self._insist(
            "settle", lambda: self._lanes.settle([what for _, what in settled]), len(settled)
        )
        crash.here("settled")
        if answer is None:
            self._one_by_one(self._settle, settled)
            return
        following = [
            Job(head, asked_at, answer.now_ms, job.lane_since, job.lane_count + 1)
            for (job, _), (_, head) in zip(settled, answer.results, strict=True)
            if head is not None
        ]
        self._crew.put(following)
        if given_back := len(settled) - len(following):
            self._room.leave(given_back)  # at once, so that as many lanes are taken in one call
        self._follow_up(answer)

    def _defer(self, deferred: list[Deferral]) -> None:
        answer = self._insist("defer", lambda: self._lanes.defer(deferred), len(deferred))
        crash.here("deferred")
        if answer is None:
            self._one_by_one(self._defer, deferred)
            return
        self._room.leave(len(deferred))
        self._follow_up(answer)

    def _one_by_one(self, write: Callable[[list[Item]], None], items: list[Item]) -> None:
        """A record that spoils its batch must spoil only itself; its lane is left to its lease."""
        if len(items) == 1:
            self._room.leave(1)
            return
        for item in items:
            write([item])

    def _insist(self, what: str, call: Callable[[], T], size: int) -> T | None:
        """What has been posted must be written down: this tries as long as it can help.

        None if the process is ending, or if Redis refuses for good: then at once for a batch, which may be
        spoilt by one of its items, and after a while for a single item.
        """
        refusals = 0
        while not self._abandoned.is_set():
            try:
                return call()
            except QueueUnavailable as error:
                self._observer.trouble(what, error)
            except Exception as error:  # noqa: BLE001 - whatever it is, the others' results must get through
                self._observer.trouble(what, error)
                refusals += 1
                if size > 1 or refusals >= REFUSALS:
                    return None
            self._abandoned.wait(1.0)
        return None

    @property
    def alive(self) -> bool:
        """Whether all threads that should be running are."""
        return self._crew.alive and self._committer.is_alive()

    def _follow_up(self, answer: Answer) -> None:
        for ended in answer.ended:
            self._observer.ended(ended)
        for change in answer.circuits:
            self._observer.circuit(change)
        if answer.rings:
            self._bell.ring(answer.rings)
        if answer.slots_ms:
            self._bell.wake(answer.slots_ms, answer.now_ms)
