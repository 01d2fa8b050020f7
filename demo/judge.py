"""Holds what happened against what should have. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from demo.traffic import Step

NOT_TAKEN = {400, 401, 403, 404, 429, 503}
"""Answers after which the endpoint has certainly not taken the order."""


@dataclass(frozen=True)
class Sent:
    """A step, when it was sent (seconds, wall clock), and what the producer was told."""

    step: Step
    at: float
    status: str
    id: str | None


@dataclass(frozen=True)
class Line:
    """One signal's story, and what is wrong with it, if anything."""

    sent: Sent
    arrivals: tuple[Mapping[str, Any], ...]
    outcome: str | None
    faults: tuple[str, ...]

    @property
    def posts(self) -> int:
        """Arrivals that may have become an order."""
        return sum(one["status"] not in NOT_TAKEN for one in self.arrivals)


def label_of(receipt: Mapping[str, Any]) -> str | None:
    """Which step an arrival belongs to."""
    found = re.search(r"#(\w+)$", str((receipt.get("body") or {}).get("log", "")))
    return found.group(1) if found else None


def judge(
    sent: Sequence[Sent], receipts: Iterable[Mapping[str, Any]], outcomes: Mapping[str, str]
) -> tuple[list[Line], list[str]]:
    """Every signal's line, and the faults that concern several signals. ``outcomes``: by signal id."""
    arrivals: dict[str | None, list[Mapping[str, Any]]] = defaultdict(list)
    for receipt in receipts:
        arrivals[label_of(receipt)].append(receipt)
    lines = [_line(one, tuple(arrivals.pop(one.step.label, ())), outcomes.get(one.id or "")) for one in sent]
    strangers = sum(len(several) for several in arrivals.values())
    general = [f"{strangers} arrivals that nobody sent"] if strangers else []
    return lines, general + _disorder(lines)


def _line(sent: Sent, arrivals: tuple[Mapping[str, Any], ...], outcome: str | None) -> Line:
    step = sent.step
    line = Line(sent, arrivals, outcome, ())
    faults = []
    if sent.status != step.receipt:
        faults.append(f"the sender was told {sent.status}, not {step.receipt}")
    if step.posts is not None and line.posts != step.posts:
        faults.append(f"arrived {line.posts} times, not {step.posts}")
    if outcome != step.outcome:
        faults.append(f"ended {outcome}, not {step.outcome}")
    # A hundredth of a second for the clocks: sent is noted before the call, so due is never later.
    if any(one["receivedAt"] < sent.at + step.delay - 0.01 for one in arrivals):
        faults.append("posted before it was due")
    if any({"delaySeconds", "delaySecondsFilter"} & set(one["body"]) for one in arrivals):
        faults.append("posted with its delay, so it would be delayed twice")
    if any(one["notes"] for one in arrivals):
        faults.append(f"the endpoint found fault: {arrivals[0]['notes']}")
    return Line(sent, arrivals, outcome, tuple(faults))


def _disorder(lines: Sequence[Line]) -> list[str]:
    """Connectors whose undelayed signals did not arrive in the order they were sent."""
    first_seen: dict[str, list[int]] = defaultdict(list)
    for line in lines:
        if line.arrivals and not line.sent.step.delay:
            first_seen[line.sent.step.connector].append(line.arrivals[0]["number"])
    return [f"{name}: out of order" for name, seen in first_seen.items() if seen != sorted(seen)]
