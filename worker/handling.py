"""What is done with one head: post it if that is still right, and say what follows from the answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from worker.clock import steady
from worker.errors import InvalidSignal, TokenMissing
from worker.events import Observer
from worker.policy import ActionClass, Finish, Policy, decide
from worker.ports import Poster
from worker.records import Deferral, Head, Outcome, Settlement
from worker.verdict import Attempt, Verdict, health


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a lane may be held, and worked on in a row. Durations in seconds."""

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
        """An upper bound of the Redis clock at ``now``: expires a signal a moment early, never late."""
        return self.redis_ms + (now - self.asked_at) * 1000


class Handler:
    """Turns heads into settlements and deferrals; used by all posting threads at once."""

    def __init__(
        self,
        *,
        poster: Poster,
        observer: Observer,
        compose: Callable[[Head], bytes],
        policy: Callable[[str], Policy],
        pace: Pace,
        stopping: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = steady,
    ) -> None:
        """``compose`` turns a head into the body to post; raises InvalidSignal if it must not be posted,
        TokenMissing if it cannot be yet. ``policy`` is that of a connector.
        ``stopping``: whether nothing new may be begun."""
        self._poster = poster
        self._observer = observer
        self._compose = compose
        self._policy = policy
        self._pace = pace
        self._stopping = stopping
        self._clock = clock

    def handle(self, job: Job) -> Settlement | Deferral:
        try:
            return self._judge(job, self._attempt(job))
        except InvalidSignal as error:
            # This attempt made no order; an earlier one still may have.
            outcome = Outcome.UNKNOWN if job.head.unknowns else Outcome.INVALID
            return Settlement(job.head, outcome, str(error), more=self._more(job))

    def _attempt(self, job: Job) -> Attempt:
        head = job.head
        if head.orphan:
            return Attempt(Verdict.UNKNOWN, "its worker went silent while sending", 0.0, asked=False)
        try:
            body = self._compose(head)
        except TokenMissing as error:
            return Attempt(Verdict.UNSENT, str(error), 0.0, asked=False)
        if not self._may_begin(job):
            return Attempt(None, "withheld", 0.0)
        now_ms = job.redis_now_ms(self._clock())
        attempt = self._poster.post(body, may_begin=lambda: self._may_begin(job))
        if attempt.verdict is not None:
            self._observer.attempted(head, attempt, late=max(0.0, now_ms - head.due_ms) / 1000)
        return attempt

    def _may_begin(self, job: Job) -> bool:
        # Asked again with the connection open and not a byte sent: a worker that was suspended meanwhile must
        # not send under a lease that may be another's, nor an entry that has become stale. Whether it has is
        # Redis' to say, at the next checkout: after a long outage the bound known here is far ahead.
        now = self._clock()
        if self._stopping() or now + self._poster.deadline > job.asked_at + self._pace.lease:
            return False
        expires = job.head.expires_ms
        return expires is None or job.redis_now_ms(now) <= expires

    def _judge(self, job: Job, attempt: Attempt) -> Settlement | Deferral:
        head = job.head
        if attempt.verdict is None:
            return Deferral(head, 0, refund=True)
        told = health(attempt)
        decision = decide(
            attempt.verdict,
            attempt.why,
            action_class=_class_of(head),
            attempt=head.attempt,
            unknowns=head.unknowns,
            policy=self._policy(head.lane),
            expires_in=self._expires_in(job),
            retry_after=attempt.retry_after,
        )
        if isinstance(decision, Finish):
            clean = decision.outcome is Outcome.ACCEPTED and head.attempt == 1
            kept = "" if clean else self._note(job, attempt)
            return Settlement(head, decision.outcome, decision.why, kept, self._more(job), told)
        self._observer.retried(head, attempt.why, decision.delay)
        delay_ms = round(decision.delay * 1000)
        return Deferral(head, delay_ms, self._note(job, attempt), unknown=decision.unknown, health=told)

    def _expires_in(self, job: Job) -> float | None:
        expires = job.head.expires_ms
        return None if expires is None else (expires - job.redis_now_ms(self._clock())) / 1000

    def _more(self, job: Job) -> bool:
        if self._stopping():
            return False
        spent = self._clock() - job.lane_since
        return job.lane_count < self._pace.quantum_signals and spent < self._pace.quantum_seconds

    def _note(self, job: Job, attempt: Attempt) -> str:
        head, now = job.head, self._clock()
        began = round(job.redis_now_ms(now - attempt.seconds))
        # Of an orphan it is only known when its worker was given it, and when that was given up.
        times = {"at": head.taken_ms, "until": began} if head.orphan else {"at": began}
        note = {
            "attempt": head.attempt,
            **times,
            "ms": None if head.orphan else round(attempt.seconds * 1000),
            "verdict": attempt.verdict,
            "why": attempt.why,
        }
        return json.dumps(note)


def _class_of(head: Head) -> ActionClass:
    """What lies in Redis may be anything; in doubt it is what is never repeated."""
    try:
        return ActionClass(head.action_class)
    except ValueError:
        return ActionClass.ENTRY
