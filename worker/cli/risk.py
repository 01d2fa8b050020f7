"""What in a census endangers money, worst first. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from worker.cli.common import age, safe
from worker.lanes.pauses import describe
from worker.records import Census

LATE_MS = 10_000
"""A wait that is worth telling. The sweep, once a second, repairs what is lost long before."""

_TOLD = 5
"""Pauses that are named; a group can have hundreds."""
_IN_DOUBT = "unknown"
_MISSED = ("rejected", "expired", "unsent", "invalid")


@dataclass(frozen=True, slots=True)
class Risk:
    """One thing to know. ``bad``: money may be at stake now; ``warn``: orders were missed or come late."""

    level: Literal["warn", "bad"]
    text: str
    look: str = ""
    """The command that shows more."""


_NEARLY_FULL = 0.8


def risks(census: Census) -> list[Risk]:
    """Everything that endangers money; an empty list is good news."""
    found = [
        *_doubts(census),
        *_failed_exits(census),
        *_standstill(census),
        *_server(census),
        *_brakes(census),
        *_missed(census),
        *_delays(census),
    ]
    return sorted(found, key=lambda risk: risk.level != "bad")


def _doubts(census: Census) -> Iterator[Risk]:
    if count := census.dead.get(_IN_DOUBT, 0):
        text = f"{_signals(count)} may or may not have become an order: look at the account"
        yield Risk("bad", text, "signal-worker dead list --reason unknown")
    others = sum(n for reason, n in census.dead.items() if reason not in (_IN_DOUBT, *_MISSED))
    if others:
        yield Risk("bad", f"{_signals(others)} ended for an unknown reason", "signal-worker dead list")


def _failed_exits(census: Census) -> Iterator[Risk]:
    """An entry that was missed costs a chance; a close or cancel that was missed leaves a position open."""
    if failed := {reason: census.dead_exits[reason] for reason in _MISSED if census.dead_exits.get(reason)}:
        text = f"{_signals(sum(failed.values()))} that should close or cancel did not ({_parts(failed)})"
        yield Risk("bad", f"{text}: look at the account", "signal-worker dead list --exits")


def _server(census: Census) -> Iterator[Risk]:
    server = census.server
    if server is None:
        return
    if server.refuses:
        yield Risk("bad", server.refuses)
    elif server.fullness >= _NEARLY_FULL:
        yield Risk("warn", f"{server.fullness:.0%} of Redis' memory are used: at 100% producers are refused")
    if server.evicting:
        yield Risk("bad", "Redis may evict signals: set maxmemory-policy noeviction")


def _standstill(census: Census) -> Iterator[Risk]:
    """Work whose time has come and that nobody touches: there is no worker, or it cannot reach Redis."""
    times = {
        "a retry or a dead worker's lease": census.next_wakeup_ms,
        "a delayed signal": census.next_delayed_ms,
    }
    if not census.leased:
        times["a lane with work"] = census.oldest_rung_ms
    late = {what: census.now_ms - at for what, at in times.items() if at is not None}
    what, longest = max(late.items(), key=lambda item: item[1], default=("", 0))
    if census.workers == 0 and (census.waiting or census.delayed):
        yield Risk("bad", "no worker runs, or Redis lets none write: nothing that waits is posted")
    elif longest > LATE_MS:
        yield Risk("bad", f"no worker seems to run: {what} waits for one since {age(longest)}")


def _brakes(census: Census) -> Iterator[Risk]:
    if census.pauses:
        held = [safe(describe(scope)) for scope in census.pauses]
        more = f" and {len(held) - _TOLD} more" if len(held) > _TOLD else ""
        text = f"paused by a person: {', '.join(held[:_TOLD])}{more}; entries expire meanwhile"
        yield Risk("warn", text, f"signal-worker resume{_options(census.pauses)}")
    for endpoint in census.circuits:
        yield Risk("bad", f"{safe(endpoint)} does not answer properly: only probes are sent there")


def _options(scopes: Mapping[str, object]) -> str:
    """What `resume` must be told to take all of these off."""
    if not any(":" in scope for scope in scopes):
        return ""
    return " --connector NAME, or --everything"


def _missed(census: Census) -> Iterator[Risk]:
    counts = {reason: census.dead.get(reason, 0) - census.dead_exits.get(reason, 0) for reason in _MISSED}
    if missed := {reason: count for reason, count in counts.items() if count > 0}:
        text = f"{_signals(sum(missed.values()))} did not become an order ({_parts(missed)})"
        yield Risk("warn", text, "signal-worker dead list")
    if gone := census.totals.get("vanished", 0):
        yield Risk("warn", f"{_signals(gone)} vanished from Redis: somebody deleted them there")


def _delays(census: Census) -> Iterator[Risk]:
    if census.oldest_due_ms is not None and (late := census.now_ms - census.oldest_due_ms) > LATE_MS:
        yield Risk("warn", f"the oldest waiting signal is {age(late)} late")


def _parts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in counts.items())


def _signals(count: int) -> str:
    return "1 signal" if count == 1 else f"{count:,} signals"
