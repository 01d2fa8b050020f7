"""Log lines: JSON for machines, text for a terminal. Nothing that is logged holds a body or a token."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

from worker.logs.quiet import Quiet

_encode = json.JSONEncoder(default=str, ensure_ascii=False).encode
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_CELERY = ("data", "task_id", "task_name")  # what Celery adds; its `data` repeats the arguments


def configure(level: str, form: Literal["auto", "json", "text"]) -> None:
    """Send all logs, Celery's too, to standard error in one form."""
    as_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter() if as_text else JsonFormatter())
    if level != "debug":
        handler.addFilter(Quiet())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    if level != "debug":
        # Celery tells of every ring twice, and of being ready when we do; attempts and outcomes are the news.
        for name in (
            "celery.worker.strategy",
            "celery.app.trace",
            "celery.redirected",
            "celery.apps.worker",
        ):
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


def _event(record: logging.LogRecord) -> str:
    """On one line; some of Celery's are several."""
    return " ".join(record.getMessage().split())


def _plain(text: str) -> str:
    """Without anything that a terminal obeys: names and reasons come from outside."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class JsonFormatter(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _event(record),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _encode(line)


class TextFormatter(logging.Formatter):
    """Time, level, event and its fields."""

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{name}={_plain(str(value))}" for name, value in _fields(record).items())
        line = f"{_time(record)[11:23]} {record.levelname.lower():7} {_plain(_event(record))}"
        line = f"{line}  {fields}" if fields else line
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line
