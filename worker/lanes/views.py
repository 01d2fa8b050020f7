"""What the queue shows to people. Times ending in ``_ms`` are milliseconds of the Redis server's clock.

Texts come from Redis as they are: whoever prints them escapes them. A number that was missing or broken
is None. No view holds a connector token.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LaneView:
    """One lane that has work."""

    connector: str
    waiting: int
    delayed: int
    state: str
    """``delayed`` (nothing is due), ``leased`` (a worker posts), ``rung`` (waits for a worker), ``retry``
    (waits for ``until_ms``), ``halted`` (held back by a pause or an open circuit), or ``lost``: in no index,
    which only happens if somebody else wrote there."""
    until_ms: int | None
    """When the lease ends, or the head is tried again."""
    due_ms: int | None
    """Since when its head should have been posted."""
    head: str
    action: str
    attempts: int | None


@dataclass(frozen=True, slots=True)
class PauseView:
    """What somebody holds back; who, when and why are unknown of one that began too long ago."""

    scope: str
    label: str
    since_ms: int | None = None
    by: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class SignalView:
    """Where a signal is, or how it ended."""

    id: str
    connector: str
    action: str
    action_class: str
    state: str
    """``delayed``, ``waiting``, ``sending``, ``dead`` or ``finished``."""
    attempts: int | None
    unknowns: int | None
    """Attempts that may have reached the endpoint although the signal was tried again."""
    admitted_ms: int | None
    due_ms: int | None
    expires_ms: int | None
    ended_ms: int | None
    outcome: str
    why: str
    order_id: str
    """The clientOrderId it places an order under, if it has one."""

    @property
    def in_doubt(self) -> bool:
        """It ended without a confirmed order, and may have become one."""
        return self.state == "dead" and (self.outcome == "unknown" or bool(self.unknowns))


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One attempt as its worker noted it. ``ms``: how long it took."""

    attempt: int | None
    at_ms: int | None
    ms: int | None
    verdict: str
    why: str


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a signal is or how it ended, and what was tried."""

    signal: SignalView
    history: tuple[AttemptView, ...]
    """The last ten troubled attempts, and what people did with it, oldest first."""


@dataclass(frozen=True, slots=True)
class DeadLetter(Trace):
    """A signal that ended without a confirmed order, with all there is to know about it."""

    body: dict[str, object] | None
    """What was to be posted, its token masked; None if there is none or it is not to be understood."""
    body_bytes: int | None
    """Its length in Redis; None if it is gone."""


@dataclass(frozen=True, slots=True)
class OutcomeView:
    """One line of the stream of outcomes."""

    entry: str
    """Its place in the stream; to go on after it."""
    at_ms: int | None
    id: str
    connector: str
    action: str
    outcome: str
    why: str
    attempts: int | None
    admitted_ms: int | None
    due_ms: int | None
