"""What is found: where, how bad, what, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """The signal would be refused, or not be the one that is meant."""
    WARNING = "warning"
    """It would be taken, and is probably not meant so."""
    HINT = "hint"
    """It may be meant so."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at. Never contains a connector token."""

    line: int
    """From 1."""
    severity: Severity
    text: str
    advice: str = ""


def error(line: int, text: str, advice: str = "") -> Finding:
    return Finding(line, Severity.ERROR, text, advice)


def warning(line: int, text: str, advice: str = "") -> Finding:
    return Finding(line, Severity.WARNING, text, advice)


def hint(line: int, text: str, advice: str = "") -> Finding:
    return Finding(line, Severity.HINT, text, advice)
