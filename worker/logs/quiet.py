"""Keeps logs readable while something is out of order: what repeats is told rarely, and how often it was."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass

from worker.clock import steady

WINDOW = 10.0
"""Seconds."""
BURST = 3
"""Lines of a kind that pass in each window."""
_KINDS_MOST = 1000
_NUMBER = re.compile(r"\d+(\.\d+)?( seconds?\b)?")  # kombu says "1.00 second"
_RECONNECTING = ("celery.worker.consumer", "kombu")


@dataclass(slots=True)
class _Kind:
    since: float
    passed: int = 0
    held_back: int = 0


class Quiet(logging.Filter):
    """Lets the first few lines of a kind pass in each window; the next window's first tells as ``repeated``
    how many were held back.

    What tells of one signal (it has an ``id``) always passes. Of Celery's reconnecting the tracebacks are
    cut to their last lines: they say nothing else.
    """

    def __init__(self, clock: Callable[[], float] = steady) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._kinds: dict[tuple[object, ...], _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if hasattr(record, "id"):
            return True
        if record.name.startswith(_RECONNECTING):
            _shorten(record)
        return self._passes(record)

    def _passes(self, record: logging.LogRecord) -> bool:
        kind = _kind(record)
        now = self._clock()
        with self._lock:
            if len(self._kinds) >= _KINDS_MOST:
                self._kinds.clear()
            seen = self._kinds.setdefault(kind, _Kind(now))
            if now - seen.since >= WINDOW:
                if seen.held_back:
                    record.repeated = seen.held_back
                seen.since, seen.passed, seen.held_back = now, 0, 0
            if seen.passed < BURST:
                seen.passed += 1
                return True
            seen.held_back += 1
            return False


def _kind(record: logging.LogRecord) -> tuple[object, ...]:
    """Lines that say the same but for numbers: of a lost connection they count, or are ports."""
    said = (record.getMessage(), getattr(record, "where", ""), getattr(record, "error", ""))
    return record.name, record.levelno, _NUMBER.sub("", " ".join(map(str, said)))


def _shorten(record: logging.LogRecord) -> None:
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        record.error = f"{type(error).__name__}: {error}"
        record.exc_info, record.exc_text = None, None
