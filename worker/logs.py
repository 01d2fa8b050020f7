"""Log lines: JSON for machines, text for a terminal. Nothing that is logged holds a body or a token."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

from worker.records import Ended, Head, Outcome
from worker.verdict import Attempt, Verdict

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_encode = json.JSONEncoder(default=str, ensure_ascii=False).encode
_CELERY = ("data", "task_id", "task_name")  # what Celery adds; its `data` repeats the arguments


def configure(level: str, form: Literal["auto", "json", "text"]) -> None:
    """Send all logs, Celery's too, to standard error in one form."""
    as_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter() if as_text else JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    if level != "debug":
        # Celery tells of every ring twice; attempts and outcomes are the news.
        for name in ("celery.worker.strategy", "celery.app.trace", "celery.redirected"):
            logging.getLogger(name).setLevel("WARNING")


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {
        name: value
        for name, value in vars(record).items()
        if name not in _STANDARD and name not in _CELERY and not name.startswith("_")
    }


def _time(record: logging.LogRecord) -> str:
    return (
        datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


class JsonFormatter(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _encode(line)


class TextFormatter(logging.Formatter):
    """Time, level, event and its fields."""

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{name}={value}" for name, value in _fields(record).items())
        line = f"{_time(record)[11:23]} {record.levelname.lower():7} {record.getMessage()}"
        line = f"{line}  {fields}" if fields else line
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class LogObserver:
    """One line per attempt and per outcome, with stable event names."""

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
                "outcome": ended.outcome.value,
                "why": ended.why,
                "attempts": ended.attempts,
                "ms": ended.ended_ms - ended.due_ms,
            },
        )

    def swept(self, *, leases_expired: int, rings_lost: int) -> None:
        self._log.warning("swept", extra={"leases_expired": leases_expired, "rings_lost": rings_lost})

    def trouble(self, what: str, error: Exception) -> None:
        self._log.error("trouble", extra={"where": what, "error": str(error)})
