"""A handler whose attempts are traced. Only a worker that traces has one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from worker.clock import steady
from worker.handling import Handler, Job
from worker.records import Deferral, Head, Outcome, Settlement
from worker.verdict import Attempt


class Trail(Protocol):
    """Where attempts are told; never raises. ``worker.tracing.otel.Tracing`` is one."""

    def attempted(
        self, head: Head, attempt: Attempt | None, result: Settlement | Deferral, *, since: float
    ) -> None: ...


class TracedHandler(Handler):
    """Tells of each attempt once it is over, however it ended."""

    def __init__(self, trail: Trail, *, clock: Callable[[], float] = steady, **parts: Any) -> None:
        """``parts``: what a Handler is made of."""
        super().__init__(clock=clock, **parts)
        self._trail = trail
        self._now = clock
        self._thread = _Made()

    def handle(self, job: Job) -> Settlement | Deferral:
        self._thread.attempt = None
        try:
            result = super().handle(job)
        except Exception as error:
            self._tell(job, Settlement(job.head, Outcome.UNKNOWN, f"internal error: {type(error).__name__}"))
            raise
        self._tell(job, result)
        return result

    def _attempt(self, job: Job) -> Attempt:
        attempt = self._thread.attempt = super()._attempt(job)
        return attempt

    def _tell(self, job: Job, result: Settlement | Deferral) -> None:
        since = max(0.0, self._now() - job.asked_at)
        self._trail.attempted(job.head, self._thread.attempt, result, since=since)


class _Made(threading.local):
    attempt: Attempt | None = None
