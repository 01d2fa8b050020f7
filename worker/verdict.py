"""What an HTTP answer tells about the fate of a signal. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Literal


class Verdict(StrEnum):
    """What an attempt tells about the fate of a signal."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNSENT = "unsent"
    """It provably did not reach the endpoint's order taking."""
    UNKNOWN = "unknown"
    """It may or may not have."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one attempt told. ``verdict`` is None if it was withheld: nothing was sent."""

    verdict: Verdict | None
    why: str
    """For people: a status or the kind of failure; never what the endpoint or the signal said."""
    seconds: float
    status: int | None = None
    retry_after: float | None = None
    """Seconds the endpoint asked to wait."""
    reused: bool = False
    """Whether the connection had carried a request before."""
    asked: bool = True
    """Whether this worker turned to the endpoint at all."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Which statuses mean what; the defaults are deliberately suspicious of everything undocumented."""

    expected_body: str = "ok"
    unsent_statuses: frozenset[int] = frozenset({425, 429, 503})
    """Answers that a server gives instead of working on the request."""
    unknown_statuses: frozenset[int] = frozenset({408})
    """Further answers that leave open whether it worked on the request; other 5xx always do."""


def judge(status: int, body: bytes, reading: Reading) -> Verdict:
    """The verdict on a complete answer."""
    if status in reading.unsent_statuses:
        return Verdict.UNSENT
    if status in reading.unknown_statuses:
        return Verdict.UNKNOWN
    if 200 <= status < 300:
        said = body.decode("utf-8", "replace").strip().strip('"')
        return Verdict.ACCEPTED if said == reading.expected_body else Verdict.UNKNOWN
    return Verdict.REJECTED if 300 <= status < 500 else Verdict.UNKNOWN


def health(attempt: Attempt) -> Literal["well", "ill"] | None:
    """What an attempt tells of the endpoint as a whole: ``ill`` if it could not be reached or cannot work,
    ``well`` if it took a clear decision, None if it may be either."""
    if not attempt.asked:
        return None
    if attempt.verdict in (Verdict.ACCEPTED, Verdict.REJECTED):
        return "well"
    if attempt.verdict is Verdict.UNSENT:
        return "ill"
    no_answer = attempt.status is None or attempt.status >= 500
    return "ill" if attempt.verdict is Verdict.UNKNOWN and no_answer else None


def retry_after(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds to wait by a Retry-After header: a number or an HTTP date; None if there is no sense in it.

    Source: RFC 9110, 10.2.3.
    """
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        return max(0.0, (at - (now or datetime.now(UTC))).total_seconds())
    except (ValueError, OverflowError, TypeError):
        return None
