"""The numbers that alerts compare with: named here once, written into the plain rules with their defaults,
and into the chart's form as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Threshold:
    """``name`` is the key of the chart's value; alerts write it as ``<name>``."""

    name: str
    default: float
    meaning: str

    @property
    def text(self) -> str:
        return f"{self.default:g}"


THRESHOLDS = (
    Threshold("oldestDueSeconds", 30, "A signal that is due waits for longer than this"),
    Threshold("lateSeconds", 5, "99 % of first POSTs start later than this after their due time"),
    Threshold("lostRingSeconds", 30, "A lane that was rung is taken by nobody for longer than this"),
    Threshold("errorBudget", 0.001, "Share of signals that may fail (unsent, expired, unknown) over 30 days"),
    Threshold("leastFailures", 5, "Fewer failures than this do not count as burning the budget"),
    Threshold("deadLetters", 20, "New dead letters (without unknown ones) in 15 minutes"),
    Threshold("usualOutcomes", 48, "Outcomes in a day from which on a connector is missed when it is silent"),
    Threshold("memoryShare", 0.8, "Share of Redis' maxmemory in use"),
    Threshold("skewSeconds", 1, "A worker's clock and that of Redis differ by more than this"),
    Threshold("gatewayErrorShare", 0.05, "Share of the gateway's requests answered 5xx"),
    Threshold("gatewaySeconds", 1.5, "99 % of the gateway's answers take no longer; TradingView waits 3 s"),
    Threshold("invalidSignals", 20, "Signals refused as invalid in 15 minutes"),
)
