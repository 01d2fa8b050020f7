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
import json
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from worker.errors import InvalidSignal, QueueUnavailable, QueueUnusable
from worker.events import Observer
from worker.lanes.records import (
    Answer,
    CheckoutAnswer,
    DeferAnswer,
    Deferral,
    Head,
    Outcome,
    SettleAnswer,
    Settlement,
)
from worker.policy import ActionClass, Finish, Policy, decide
from worker.rooms import Room
from worker.verdict import Attempt, Verdict

T = TypeVar("T")

COMMIT_BATCH = 128
"""Verdicts written in one call; bounds how long Redis is busy with it."""


class Queue(Protocol):
    """The part of ``worker.lanes.Lanes`` that dispatching needs."""

    def checkout(self, lanes: Iterable[str], token: str) -> CheckoutAnswer: ...
    def settle(self, batch: Sequence[Settlement]) -> SettleAnswer: ...
    def defer(self, batch: Sequence[Deferral]) -> DeferAnswer: ...


class Poster(Protocol):
    """The part of ``worker.delivery.Courier`` that dispatching needs."""

    deadline: float

    def post(self, body: bytes, *, may_begin: Callable[[], bool]) -> Attempt: ...


class Bell(Protocol):
    """The part of ``worker.rings.CeleryBell`` that dispatching needs."""

    def ring(self, lanes: Sequence[str]) -> None: ...
    def wake(self, slots_ms: Sequence[int], now_ms: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How much a worker does at once. Durations in seconds."""

    threads: int = 64
    lease: float = 20.0
    quantum_signals: int = 50
    quantum_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Job:
    """A head in this worker's hands. Times are of the monotonic clock."""

    head: Head
    asked_at: float
    """Before Redis was asked for it: the lease ends at least ``lease`` after this, and Redis said
    ``redis_ms`` at some moment after it."""
    redis_ms: int
    lane_since: float
    lane_count: int

    def redis_now_ms(self, now: float) -> float:
        """An upper bound of the Redis clock at ``now``: may call a signal expired a moment early, never late."""
        return self.redis_ms + (now - self.asked_at) * 1000


class Dispatcher:
    """Posts the heads of the lanes it is given; see the picture above."""

    def __init__(
        self,
        *,
        lanes: Queue,
        poster: Poster,
        bell: Bell,
        observer: Observer,
        compose: Callable[[Head], bytes],
        policy: Policy,
        pace: Pace,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``compose`` turns a head into the body to post; raises InvalidSignal if it is not a signal."""
        self._lanes = lanes
        self._poster = poster
        self._bell = bell
        self._observer = observer
        self._compose = compose
        self._policy = policy
        self._pace = pace
        self._clock = monotonic
        self._room = Room(pace.threads)
        self._work: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[Job, Settlement | Deferral] | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._abandoned = threading.Event()
        self._name = uuid.uuid4().hex[:12]
        self._calls = itertools.count(1)
        self._posters = [
            threading.Thread(target=self._post_jobs, name=f"poster-{n}", daemon=True) for n in range(pace.threads)
        ]
        self._committer = threading.Thread(target=self._commit_results, name="committer", daemon=True)
        self._progress_at = monotonic()

    # -- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        for thread in (*self._posters, self._committer):
            thread.start()

    def begin_stop(self) -> None:
        """Take nothing new; what is in flight goes on. Returns at once; fit for a signal handler."""
        self._stopping.set()
        self._room.close()

    def stop(self, timeout: float) -> bool:
        """Finish what is in flight and give all lanes back; False if ``timeout`` seconds were not enough."""
        self.begin_stop()
        finished = self._room.wait_until_empty(timeout)
        self._abandoned.set()
        for _ in self._posters:
            self._work.put(None)
        self._done.put(None)
        if finished:
            for thread in (*self._posters, self._committer):
                thread.join(timeout=1.0)
        return finished

    def abandoned(self) -> bool:
        """Whether waiting for Redis has become pointless because this worker is gone."""
        return self._abandoned.is_set()

    @property
    def in_flight(self) -> int:
        """Lanes in this worker's hands."""
        return self._room.taken

    def stuck_for(self) -> float:
        """Seconds since a result was last written, while there is something in flight; else 0."""
        return self._clock() - self._progress_at if self.in_flight else 0.0

    # -- in -----------------------------------------------------------------------------------

    def drain(self, names: Sequence[str]) -> None:
        """Lease these lanes as room allows and hand them to the posting threads.

        Returns when all are handed over; lanes that a stopping worker does not take are rung again.
        """
        waiting = list(dict.fromkeys(names))
        while waiting:
            places = self._room.enter(len(waiting))
            if places == 0:
                self._bell.ring(waiting)
                return
            part, waiting = waiting[:places], waiting[places:]
            self._take(part, places)

    def _take(self, names: Sequence[str], places: int) -> None:
        asked_at = self._clock()
        if self.in_flight == places:
            self._progress_at = asked_at  # nothing was in flight before: there was nothing to progress
        heads: tuple[Head, ...] = ()
        try:
            answer = self._lanes.checkout(names, f"{self._name}.{next(self._calls)}")
            heads = answer.heads
        except (QueueUnavailable, QueueUnusable) as error:
            self._observer.trouble("checkout", error)
            return
        finally:
            self._room.leave(places - len(heads))
        for head in heads:
            self._work.put(Job(head, asked_at, answer.now_ms, asked_at, 1))
        self._follow_up(answer)

    # -- out ----------------------------------------------------------------------------------

    def _post_jobs(self) -> None:
        while (job := self._work.get()) is not None:
            try:
                result = self._handle(job)
            except Exception as error:  # noqa: BLE001 - a thread that dies takes its place with it
                self._observer.trouble("post", error)
                result = Settlement(job.head, Outcome.UNKNOWN, f"internal error: {type(error).__name__}")
            self._done.put((job, result))

    def _handle(self, job: Job) -> Settlement | Deferral:
        try:
            return self._judge(job, self._attempt(job))
        except InvalidSignal as error:
            return Settlement(job.head, Outcome.INVALID, str(error), more=self._more(job))
        except Expired:
            return Settlement(job.head, Outcome.EXPIRED, "expired before it could be posted", more=self._more(job))

    def _attempt(self, job: Job) -> Attempt:
        head = job.head
        if head.orphan:
            return Attempt(Verdict.UNKNOWN, "its worker went silent while sending", 0.0)
        body = self._compose(head)
        started = self._clock()
        now_ms = job.redis_now_ms(started)
        if head.expires_ms is not None and now_ms > head.expires_ms:
            raise Expired
        attempt = self._poster.post(body, may_begin=lambda: self._may_begin(job))
        if attempt.verdict is not None:
            self._observer.attempted(head, attempt, late=max(0.0, now_ms - head.due_ms) / 1000)
        return attempt

    def _may_begin(self, job: Job) -> bool:
        # Asked with the connection open and not a byte sent: a worker that was suspended meanwhile must not
        # send under a lease that may be another's, nor an entry that has become stale.
        now = self._clock()
        if self._stopping.is_set() or now + self._poster.deadline > job.asked_at + self._pace.lease:
            return False
        expires = job.head.expires_ms
        return expires is None or job.redis_now_ms(now) <= expires

    def _judge(self, job: Job, attempt: Attempt) -> Settlement | Deferral:
        head = job.head
        if attempt.verdict is None:
            return Deferral(head, 0, refund=True)
        note = self._note(job, attempt)
        decision = decide(
            attempt.verdict,
            attempt.why,
            action_class=ActionClass(head.action_class),
            attempt=head.attempt,
            unknowns=head.unknowns,
            policy=self._policy,
            expires_in=self._expires_in(job),
            retry_after=attempt.retry_after,
        )
        if isinstance(decision, Finish):
            clean = decision.outcome is Outcome.ACCEPTED and head.attempt == 1
            return Settlement(head, decision.outcome, decision.why, "" if clean else note, self._more(job))
        self._observer.retried(head, attempt.why, decision.delay)
        return Deferral(head, round(decision.delay * 1000), note, unknown=decision.unknown)

    def _expires_in(self, job: Job) -> float | None:
        expires = job.head.expires_ms
        return None if expires is None else (expires - job.redis_now_ms(self._clock())) / 1000

    def _more(self, job: Job) -> bool:
        if self._stopping.is_set():
            return False
        spent = self._clock() - job.lane_since
        return job.lane_count < self._pace.quantum_signals and spent < self._pace.quantum_seconds

    def _note(self, job: Job, attempt: Attempt) -> str:
        now = self._clock()
        note = {
            "attempt": job.head.attempt,
            "at": round(job.redis_now_ms(now - attempt.seconds)),
            "ms": round(attempt.seconds * 1000),
            "verdict": attempt.verdict,
            "why": attempt.why,
        }
        return json.dumps(note)

    # -- down ---------------------------------------------------------------------------------

    def _commit_results(self) -> None:
        while (result := self._done.get()) is not None:
            results = [result]
            while len(results) < COMMIT_BATCH and not self._done.empty():
                if (another := self._done.get()) is None:
                    self._commit(results)
                    return
                results.append(another)
            self._commit(results)
            self._progress_at = self._clock()

    def _commit(self, results: list[tuple[Job, Settlement | Deferral]]) -> None:
        settled = [(job, what) for job, what in results if isinstance(what, Settlement)]
        deferred = [what for _, what in results if isinstance(what, Deferral)]
        if settled:
            self._settle(settled)
        if deferred:
            answer = self._insist("defer", lambda: self._lanes.defer(deferred))
            self._room.leave(len(deferred))
            if answer is not None:
                self._follow_up(answer)

    def _settle(self, settled: list[tuple[Job, Settlement]]) -> None:
        asked_at = self._clock()
        answer = self._insist("settle", lambda: self._lanes.settle([what for _, what in settled]))
        if answer is None:
            self._room.leave(len(settled))
            return
        for (job, _), (_, head) in zip(settled, answer.results, strict=True):
            if head is None:
                self._room.leave(1)
            else:
                self._work.put(
                    replace(
                        job,
                        head=head,
                        asked_at=asked_at,
                        redis_ms=answer.now_ms,
                        lane_count=job.lane_count + 1,
                    )
                )
        self._follow_up(answer)

    def _insist(self, what: str, call: Callable[[], T]) -> T | None:
        """What has been posted must be written down, so nothing but the end of the process ends the trying."""
        while not self._abandoned.is_set():
            try:
                return call()
            except Exception as error:  # noqa: BLE001 - a committer that dies takes every lane with it
                self._observer.trouble(what, error)
                self._abandoned.wait(1.0)
        return None

    def _follow_up(self, answer: Answer) -> None:
        for ended in answer.ended:
            self._observer.ended(ended)
        if answer.rings:
            self._bell.ring(answer.rings)
        if answer.slots_ms:
            self._bell.wake(answer.slots_ms, answer.now_ms)


class Expired(Exception):  # noqa: N818 - a finding, not a failure
    """The signal became stale between its checkout and its POST."""
