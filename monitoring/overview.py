"""Is it well? One page for whoever is on duty."""

from __future__ import annotations

from monitoring.dashboard import Dashboard
from monitoring.panels import Heatmap, Lines, Query, Row, Stat, Table
from monitoring.promql import or_none
from monitoring.recordings import DECIDED, ENDED, FAILED, LEDGER
from monitoring.rules import RUNBOOKS
from monitoring.thresholds import THRESHOLDS

LIMIT = {one.name: one.default for one in THRESHOLDS}
RATE = "[$__rate_interval]"


def _late(share: float) -> str:
    return (
        f"histogram_quantile({share:g}, sum by (le, delayed) (rate(signals_lateness_seconds_bucket{RATE})))"
    )


def _post(share: float) -> str:
    return f"histogram_quantile({share:g}, sum by (le) (rate(signals_post_duration_seconds_bucket{RATE})))"


_FAILED = f'sum(rate({ENDED}{{outcome=~"{FAILED}"}}[1h]))'
_DECIDED = f'sum(rate({ENDED}{{outcome=~"{DECIDED}"}}[1h]))'

_WELL = Row(
    "Is it well?",
    [
        Stat(
            "Unknown",
            "Signals that may or may not have become orders. A person must decide: `signal-worker dead list"
            " --reason unknown`.",
            [Query(f'sum({LEDGER} (signals_dead_letters{{reason="unknown"}}))')],
            bad=1,
            runbooks=["SignalsUnknownOutcomes"],
        ),
        Stat(
            "Oldest due",
            "For how long the head that waits the longest has been due. Entries expire.",
            [Query(f"max({LEDGER} (signals_oldest_due_seconds))")],
            unit="s",
            warn=5,
            bad=LIMIT["oldestDueSeconds"],
            runbooks=["SignalsOldestDueTooOld"],
        ),
        Stat(
            "Success, 1 h",
            "Share of signals that did not end as unsent, expired or unknown. What senders got wrong"
            " (rejected, invalid) is left out.",
            [Query(f"1 - {_FAILED} / ({_DECIDED} > 0)")],
            unit="percentunit",
            warn=0.99,
            good=1 - LIMIT["errorBudget"],
            decimals=2,
            runbooks=["SignalsErrorBudgetBurn"],
        ),
        Stat(
            "Outcomes",
            "Signals that ended, per second.",
            [Query(f"sum({LEDGER} (rate(signals_ended_total{RATE})))")],
            unit="ops",
        ),
        Stat(
            "Workers",
            "Workers that can be scraped and that Redis lets work, whichever are fewer.",
            [
                Query(
                    f"min(sum({LEDGER} (signals_workers)) < count(signals_threads) or count(signals_threads))"
                )
            ],
            good=1,
            runbooks=["SignalsWorkerAbsent", "SignalsNoSweep"],
        ),
        Stat(
            "Redis",
            "Share of the workers that reach Redis.",
            [Query("avg(signals_redis_up)")],
            unit="percentunit",
            good=1,
            runbooks=["SignalsRedisDown"],
        ),
        Stat(
            "Circuits open",
            "Endpoints that count as out of order: posting is halted but for one probe at a time.",
            [Query(f"sum({LEDGER} (signals_circuits_open))")],
            bad=1,
            runbooks=["SignalsCircuitOpen"],
        ),
        Stat(
            "Pauses",
            "Pauses that somebody has put on, of all connectors or of single ones.",
            [Query(f"sum({LEDGER} (signals_paused))")],
            warn=1,
            runbooks=["SignalsPaused"],
        ),
    ],
)

_FLOW = Row(
    "Flow",
    [
        Lines(
            "In and out",
            "Signals taken in and signals that ended, per second; and those that were not taken.",
            [
                Query(f"sum({LEDGER} (rate(signals_admitted_total{RATE})))", "admitted"),
                Query(f"sum({LEDGER} (rate(signals_ended_total{RATE})))", "ended"),
                Query(f"sum({LEDGER} (rate(signals_duplicates_total{RATE})))", "duplicate"),
                Query(f"sum({LEDGER} (rate(signals_conflicts_total{RATE})))", "conflict"),
                Query(f"sum({LEDGER} (rate(signals_full_total{RATE})))", "full"),
            ],
            unit="ops",
            runbooks=["SignalsNoOutcomes", "SignalsConflicts", "SignalsRefusedFull"],
        ),
        Lines(
            "Outcomes",
            "How signals end, per second.",
            [Query(f"sum by (outcome) ({LEDGER} (rate(signals_ended_total{RATE})))", "{{outcome}}")],
            unit="ops",
            stacked=True,
        ),
        Lines(
            "Waiting and delayed",
            "Signals that are due and have no outcome yet, and those that are not due yet.",
            [
                Query(f"sum({LEDGER} (signals_waiting))", "waiting"),
                Query(f"sum({LEDGER} (signals_delayed))", "delayed"),
            ],
        ),
        Lines(
            "Outcomes by action",
            "What is sent, per second.",
            [Query(f"sum by (action) (rate(signals_outcomes_total{RATE}))", "{{action}}")],
            unit="ops",
            stacked=True,
        ),
    ],
)

_TIME = Row(
    "Time",
    [
        Heatmap(
            "Latency",
            "From due time to outcome: how many signals per second took how long.",
            [Query(f"sum by (le) (rate(signals_latency_seconds_bucket{RATE}))", "{{le}}")],
            unit="s",
        ),
        Lines(
            "Lateness",
            "From due time to the start of the first POST, for signals with and without delay.",
            [
                Query(_late(0.5), "p50 delayed: {{delayed}}"),
                Query(_late(0.99), "p99 delayed: {{delayed}}"),
            ],
            unit="s",
            limit=LIMIT["lateSeconds"],
            runbooks=["SignalsLate"],
        ),
        Lines(
            "Duration of POSTs",
            "What the endpoint takes to answer.",
            [Query(_post(0.5), "p50"), Query(_post(0.9), "p90"), Query(_post(0.99), "p99")],
            unit="s",
        ),
        Lines(
            "Oldest due",
            "For how long the head that waits the longest has been due.",
            [Query(f"max({LEDGER} (signals_oldest_due_seconds))", "oldest due")],
            unit="s",
            limit=LIMIT["oldestDueSeconds"],
            runbooks=["SignalsOldestDueTooOld"],
        ),
    ],
)


def _burn(window: str) -> str:
    return f"max(signals:failures:ratio_rate{window}) / {LIMIT['errorBudget']:g}"


_FIRING = (
    "max by (alertname, severity, connector, file, scope, instance)"
    ' (ALERTS{alertname=~"Signals.*", alertstate="firing"})'
)

_TROUBLE = Row(
    "Trouble",
    [
        Lines(
            "Burning of the error budget",
            "How many times too fast the budget of 30 days is spent; at 1 it lasts exactly 30 days. Recorded"
            " by the rules.",
            [Query(_burn(window), window) for window in ("5m", "1h", "6h", "3d")],
            unit="none",
            limit=1,
            runbooks=["SignalsErrorBudgetBurn"],
        ),
        Lines(
            "Dead letters",
            "Signals that ended without a confirmed order and wait for a person.",
            [Query(f"sum by (reason) ({LEDGER} (signals_dead_letters))", "{{reason}}")],
            stacked=True,
            runbooks=["SignalsUnknownOutcomes", "SignalsDeadLettersRising"],
        ),
        Lines(
            "Dead exits",
            "Those of the dead letters that are exits or cancels: positions may be open that should not be.",
            [Query(f"sum by (reason) ({LEDGER} (signals_dead_exits))", "{{reason}}")],
            stacked=True,
            runbooks=["SignalsFailedExits"],
        ),
        Lines(
            "What POSTs told",
            "Attempts per second by verdict; unsent ones are tried again.",
            [Query(f"sum by (verdict) (rate(signals_post_duration_seconds_count{RATE}))", "{{verdict}}")],
            unit="ops",
            stacked=True,
        ),
        Lines(
            "Oldest unknown",
            "For how long the first signal of unknown fate has waited for a person.",
            [Query(f"max({LEDGER} (signals_oldest_unknown_seconds))", "oldest unknown")],
            unit="s",
            runbooks=["SignalsUnknownOutcomes"],
        ),
        Table(
            "Alerts",
            "Alerts that fire now; the name leads to the runbook.",
            [
                Query(or_none(_FIRING, "severity")),  # no alertname, so nothing to click on
            ],
            hidden=["Value"],
            link=("alertname", "Runbook", f"{RUNBOOKS}/${{__value.raw}}.md"),
            width=12,
            height=8,
        ),
    ],
)

OVERVIEW = Dashboard(
    uid="signals-overview",
    title="Signal Dispatch / Overview",
    description="Whether signals become orders: in time, once, and with an answer for each.",
    rows=[_WELL, _FLOW, _TIME, _TROUBLE],
)
