"""What the worker did, as log lines; docs/logs.md lists the events."""

from __future__ import annotations

import logging

from worker.events import Observer
from worker.records import CircuitChange, Ended, Head, Held, Outcome
from worker.verdict import Attempt, Verdict


class LogObserver(Observer):
    """One wide line per outcome, one more per attempt that told anything but ok, and what holds signals back.

    The signal's id is the one that its sender was told.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._log = logger or logging.getLogger("signals")

    def attempted(self, head: Head, attempt: Attempt, *, late: float) -> None:
        level = logging.DEBUG if attempt.verdict is Verdict.ACCEPTED else logging.WARNING
        if not self._log.isEnabledFor(level):
            return
        self._log.log(
            level,
            "attempt",
            extra={
                "id": head.id,
                "connector": head.lane,
                "action": head.action,
                "attempt": head.attempt,
                "verdict": attempt.verdict,
                "why": attempt.why,
                "ms": round(attempt.seconds * 1000, 1),
                "late_ms": round(late * 1000, 1),
                "reused": attempt.reused,
            },
        )

    def retried(self, head: Head, why: str, delay: float) -> None:
        self._log.info(
            "retry",
            extra={"id": head.id, "connector": head.lane, "why": why, "in_ms": round(delay * 1000)},
        )

    def ended(self, ended: Ended) -> None:
        good = ended.outcome in (Outcome.ACCEPTED, Outcome.CANCELLED)
        self._log.log(
            logging.INFO if good else logging.WARNING,
            "outcome",
            extra={
                "id": ended.id,
                "connector": ended.lane,
                "action": ended.action,
                "class": ended.action_class,
                "outcome": ended.outcome.value,
                "why": ended.why,
                "attempts": ended.attempts,
                "delay_ms": ended.due_ms - ended.admitted_ms,
                "ms": ended.ended_ms - ended.due_ms,
            },
        )

    def swept(self, *, leases_expired: int, rings_lost: int) -> None:
        self._log.warning("swept", extra={"leases_expired": leases_expired, "rings_lost": rings_lost})

    def circuit(self, change: CircuitChange) -> None:
        extra = {"endpoint": change.endpoint}
        if change.is_open:
            self._log.error("circuit opened", extra=extra)
        else:
            self._log.info("circuit closed", extra=extra)

    def paused(self, held: Held) -> None:
        extra = {"all": held.everything, "entries": held.entries, "scopes": held.scopes}
        self._log.warning("paused" if held.scopes else "pause ended", extra=extra)

    def trouble(self, what: str, error: Exception) -> None:
        self._log.error("trouble", extra={"where": what, "error": str(error)})
