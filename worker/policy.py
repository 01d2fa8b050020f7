"""What is done with a signal and after an attempt. Pure: takes facts, returns decisions, does no I/O.

The actions differ in what a repetition costs. An entry posted twice doubles a position; a full exit or
a cancel posted twice does nothing the second time. Everything here follows from that.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from worker.contract import Action, OrderSignal, PositionSyncSignal, Signal
from worker.records import Outcome
from worker.verdict import Verdict

POSITION_SYNC = "positionSync"
"""Stands where an order signal has its action."""


class ActionClass(StrEnum):
    """What repeating a signal would cost."""

    ENTRY = "entry"
    """Grows or turns a position: never repeated, expires."""
    PARTIAL = "partial"
    """Shrinks a position by an amount: never repeated, does not expire."""
    FULL = "full"
    """Closes a position whole: a second one finds nothing left to close."""
    CANCEL = "cancel"
    """Takes orders back: a second one finds none."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How long and how often to try. Durations in seconds."""

    entry_expiry: float = 60.0
    """An entry is not posted later than this after its due time."""
    max_attempts: int = 20
    backoff_base: float = 0.5
    backoff_cap: float = 30.0
    retry_after_cap: float = 120.0
    """The most that a Retry-After of the endpoint is obeyed."""
    resend_limit: int = 3
    """How often a full exit or cancel with unknown fate is posted again; 0 holds it like an entry."""
    close_drops_open: bool = True
    """A full close drops earlier opens of its side that are still delayed."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The signal has ended."""

    outcome: Outcome
    why: str


@dataclass(frozen=True, slots=True)
class Again:
    """Try again after ``delay`` seconds. ``unknown``: this attempt may have reached the endpoint."""

    delay: float
    unknown: bool = False


Decision = Finish | Again

_OPENS = {Action.BUY, Action.OPEN_LONG, Action.OPEN_SHORT}
_CANCELS = {Action.CANCEL, Action.CANCEL_ALL}
_DROPPED_BY_CLOSE = {Action.CLOSE_LONG: Action.OPEN_LONG, Action.CLOSE_SHORT: Action.OPEN_SHORT}


def action_of(signal: Signal) -> str:
    """The name a signal goes by in records and metrics."""
    return str.__str__(signal.action) if isinstance(signal, OrderSignal) else POSITION_SYNC


def classify(signal: Signal) -> ActionClass:
    """Which class a signal belongs to; when in doubt, the one that is never repeated."""
    if isinstance(signal, PositionSyncSignal):
        return _classify_sync(signal)
    if signal.action in _CANCELS:
        return ActionClass.CANCEL
    if signal.action in _OPENS:
        return ActionClass.ENTRY
    # With a limit the order may rest: the position is still there, and a second order would close it again.
    return ActionClass.FULL if _is_whole(signal) and signal.limit is None else ActionClass.PARTIAL


def classes_of(action: str) -> tuple[ActionClass, ...]:
    """All that ``classify`` can make of signals of this action (named as by ``action_of``)."""
    if action == POSITION_SYNC:
        return ActionClass.ENTRY, ActionClass.PARTIAL, ActionClass.FULL
    if action in _CANCELS:
        return (ActionClass.CANCEL,)
    return (ActionClass.ENTRY,) if action in _OPENS else (ActionClass.PARTIAL, ActionClass.FULL)


def _is_whole(signal: OrderSignal) -> bool:
    # `fixed` wins over `percent` at the endpoint, so a fixed amount is partial whatever the percent.
    sized = signal.fixed is not None or signal.notional is not None
    return not sized and (signal.percent is None or Decimal(signal.percent) >= 100)


def _classify_sync(signal: PositionSyncSignal) -> ActionClass:
    position = signal.position
    if position.side == "flat":
        return ActionClass.FULL
    sizes_known = position.size is not None and position.prev_size is not None
    if position.side == position.prev_side and sizes_known:
        shrinks = Decimal(str(position.size)) < Decimal(str(position.prev_size))
        return ActionClass.PARTIAL if shrinks else ActionClass.ENTRY
    return ActionClass.ENTRY


def drops(signal: Signal, policy: Policy) -> str | None:
    """Which waiting signals this one makes pointless: ``order`` (the one it names), ``all``, or an action
    whose earlier, still delayed signals would otherwise be posted after their own close."""
    if not isinstance(signal, OrderSignal):
        return None
    if signal.action is Action.CANCEL:
        return "order"
    if signal.action is Action.CANCEL_ALL:
        return "all"
    dropped = _DROPPED_BY_CLOSE.get(signal.action)
    if dropped and policy.close_drops_open and _is_whole(signal):
        return str.__str__(dropped)
    return None


def max_age(action_class: ActionClass, policy: Policy) -> float | None:
    """Seconds after its due time that a signal may still be posted; None: for ever."""
    return policy.entry_expiry if action_class is ActionClass.ENTRY else None


def decide(
    verdict: Verdict,
    why: str,
    *,
    action_class: ActionClass,
    attempt: int,
    unknowns: int,
    policy: Policy,
    expires_in: float | None = None,
    retry_after: float | None = None,
    uniform: Callable[[float, float], float] = random.uniform,
) -> Decision:
    """What follows from an attempt.

    ``attempt``: its number from 1. ``unknowns``: earlier attempts that may have reached the endpoint.
    ``expires_in``, ``retry_after``: seconds, None if there is none.
    """
    if verdict is Verdict.ACCEPTED:
        return Finish(Outcome.ACCEPTED, why)
    if verdict is Verdict.UNKNOWN:
        repeatable = action_class in (ActionClass.FULL, ActionClass.CANCEL)
        if repeatable and unknowns < policy.resend_limit and attempt < policy.max_attempts:
            return Again(_backoff(attempt, None, policy, uniform), unknown=True)
        return Finish(Outcome.UNKNOWN, why)
    if verdict is Verdict.UNSENT:
        again = _retry(attempt, expires_in, retry_after, policy, uniform)
        if again is not None:
            return again
    if unknowns:
        # Not even a refusal of the last attempt tells what an earlier one did.
        return Finish(Outcome.UNKNOWN, f"an earlier attempt may have been taken; the last: {why}")
    return Finish(Outcome.REJECTED if verdict is Verdict.REJECTED else Outcome.UNSENT, why)


def _retry(
    attempt: int,
    expires_in: float | None,
    retry_after: float | None,
    policy: Policy,
    uniform: Callable[[float, float], float],
) -> Again | None:
    if attempt >= policy.max_attempts:
        return None
    if retry_after is None:
        return Again(_backoff(attempt, expires_in, policy, uniform))
    # Spread those that were all told the same second; and a Retry-After of 0 is no licence to spin.
    delay = min(retry_after, policy.retry_after_cap) + uniform(0.0, policy.backoff_base)
    return None if expires_in is not None and delay > expires_in else Again(delay)


def _backoff(
    attempt: int, expires_in: float | None, policy: Policy, uniform: Callable[[float, float], float]
) -> float:
    # Full jitter: ten thousand lanes that failed together must not come back together.
    ceiling = min(policy.backoff_cap, policy.backoff_base * 2 ** min(attempt - 1, 30))
    if expires_in is not None:
        ceiling = min(ceiling, max(expires_in, 0.0))
    return uniform(0.0, ceiling)
