"""Which rule of a :class:`Mischief` meets which request.

Chance is drawn from the seed, the rule, the connector and how many of its requests the rule has
seen: two runs with the same seed treat a connector alike, however the connectors' requests interleave.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase

from worker.paper.mischief import Mischief, Rule


@dataclass(frozen=True, slots=True)
class Choice:
    """What to do with one request: wait ``latency`` seconds, then answer as ``rule`` says (None: well)."""

    rule: Rule | None = None
    latency: float = 0.0
    label: str | None = None


class Chooser:
    """Applies the rules and keeps their counts. Not locked. Keeps a counter per rule and connector."""

    def __init__(self, mischief: Mischief, seed: int, latency: tuple[float, float]) -> None:
        self.mischief = mischief
        self._seed = seed
        self._latency = latency
        self._seen: Counter[tuple[int, str, str]] = Counter()
        self._hits: Counter[int] = Counter()

    def before_body(self) -> Rule | None:
        """The rule that ends a request of which only the headers were read."""
        for index, rule in enumerate(self.mischief.rules):
            if rule.before_body and self._met(index, rule, "", "", ""):
                return rule
        return None

    def choose(self, connector: str, action: str, client_order_id: str) -> Choice:
        """Decide about one request; every call counts as a request."""
        latency, labels = self._base_latency(connector), []
        for index, rule in enumerate(self.mischief.rules):
            if rule.before_body or not self._met(index, rule, connector, action, client_order_id):
                continue
            labels.append(str(rule))
            if rule.effect != "latency":
                return Choice(rule, latency, " ".join(labels))
            latency += self._between(rule.min, rule.max, f"latency:{index}:{connector}", self._hits[index])
        return Choice(None, latency, " ".join(labels) or None)

    def _base_latency(self, connector: str) -> float:
        low, high = self._latency
        if high <= 0:
            return 0.0
        self._seen[-1, connector, ""] += 1
        return self._between(low, high, f"base:{connector}", self._seen[-1, connector, ""])

    def _met(self, index: int, rule: Rule, connector: str, action: str, client_order_id: str) -> bool:
        pairs = (
            (rule.connector, connector),
            (rule.action, action),
            (rule.client_order_id, client_order_id),
        )
        if not all(_matches(pattern, value) for pattern, value in pairs):
            return False
        key = (index, connector, client_order_id if rule.client_order_id is not None else "")
        self._seen[key] += 1
        if rule.nth is not None and self._seen[key] != rule.nth:
            return False
        if rule.first is not None and self._hits[index] >= rule.first:
            return False
        if rule.p < 1 and self._between(0, 1, f"p:{key}", self._seen[key]) >= rule.p:
            return False
        self._hits[index] += 1
        return True

    def _between(self, low: float, high: float, what: str, count: int) -> float:
        return random.Random(f"{self._seed}/{what}/{count}").uniform(low, high)


def _matches(pattern: str | None, value: str) -> bool:
    # A clientOrderId rule asks for an id: "*" must not match the requests that carry none.
    return pattern is None or (value != "" and (pattern == value or fnmatchcase(value, pattern)))
