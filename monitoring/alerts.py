"""The alerts. ``<name>`` in an expression or a text is a threshold; ``{{ … }}`` belongs to Prometheus."""

from __future__ import annotations

from dataclasses import dataclass, field

from monitoring.recordings import ENDED, ENDS, FAILED, LEDGER, SUM

UP = f"{LEDGER} (signals_redis_up) == 1"
"""Redis answers: only then a number of the ledger that is gone is none."""


def _kept(series: str, label: str) -> str:
    """Whether there are any of this number of the ledger; while nobody can ask, whether there were within a
    quarter of an hour. ``label`` tells its kinds apart."""
    before = f"{LEDGER} (last_over_time({series}[15m]))"
    return f"{LEDGER} ({series}) > 0 or ({before} > 0 unless ignoring ({label}) {UP})"


_EXITS = _kept('signals_dead_exits{reason!="unknown"}', "reason")
DEAD = "expired|invalid|rejected|unsent"
REAL = 'route!~"livez|readyz|metrics|none"'
"""Requests of senders: no probes, and nothing that merely knocks."""
ROUTES = "sum without (instance, pod, route, status)"


@dataclass(frozen=True)
class Alert:
    """One condition that a person should know of. ``hold``: it must last so long."""

    name: str
    severity: str
    expr: str
    summary: str
    description: str
    hold: str = "0m"
    labels: dict[str, str] = field(default_factory=dict)


def _burn(severity: str, factor: float, long: str, short: str, hold: str) -> Alert:
    """Fires when the budget of 30 days goes ``factor`` times too fast, over a long window and still now."""
    return Alert(
        "SignalsErrorBudgetBurn",
        severity,
        f"signals:failures:ratio_rate{long} > {factor:g} * <errorBudget>"
        f" and signals:failures:ratio_rate{short} > {factor:g} * <errorBudget>"
        f' and {ENDS} (increase({ENDED}{{outcome=~"{FAILED}"}}[{long}])) >= <leastFailures>',
        "Too many signals fail",
        "{{ $value | humanizePercentage }} of the signals of the last "
        f"{long} ended as unsent, expired or unknown.",
        hold=hold,
        labels={"long": long, "short": short},
    )


ORDERS = (
    Alert(
        "SignalsUnknownOutcomes",
        "critical",
        _kept('signals_dead_letters{reason="unknown"}', "reason"),
        "Orders of unknown fate wait for a person",
        "{{ $value }} signals may or may not have become orders. They are not posted again by themselves.",
    ),
    Alert(
        "SignalsFailedExits",
        "critical",
        f"sum without (reason) ({_EXITS})",
        "Exits or cancels did not reach the endpoint, or were refused",
        "{{ $value }} closes or cancels ended without an order: positions may be open that should not be.",
    ),
    Alert(
        "SignalsOldestDueTooOld",
        "critical",
        f"{LEDGER} (signals_oldest_free_due_seconds) > <oldestDueSeconds>",
        "Signals that are due are not posted",
        "The longest waiting signal has been due for {{ $value | humanizeDuration }}; entries expire.",
        hold="1m",
    ),
    Alert(
        "SignalsLate",
        "warning",
        "signals:lateness_seconds:p99_5m > <lateSeconds>",
        "First POSTs start late",
        "One signal in a hundred starts {{ $value | humanizeDuration }} or more after its due time.",
        hold="10m",
    ),
    _burn("critical", 14.4, "1h", "5m", "2m"),
    _burn("critical", 6, "6h", "30m", "5m"),
    _burn("warning", 3, "1d", "2h", "15m"),
    _burn("warning", 1, "3d", "6h", "1h"),
    Alert(
        "SignalsDeadLettersRising",
        "warning",
        f'sum without (outcome) ({LEDGER} (increase(signals_ended_total{{outcome=~"{DEAD}"}}[15m])))'
        " > <deadLetters>",
        "Many signals end without an order",
        '{{ printf "%.0f" $value }} dead letters in 15 minutes (rejected, unsent, expired or invalid).',
    ),
    Alert(
        "SignalsConflicts",
        "warning",
        f"{LEDGER} (increase(signals_conflicts_total[15m])) > 0",
        "An order id was used for two different orders",
        '{{ printf "%.0f" $value }} signals in 15 minutes were refused: their id belongs to another order.',
    ),
    Alert(
        "SignalsRefusedFull",
        "warning",
        f"{LEDGER} (increase(signals_full_total[15m])) > 0",
        "Signals are refused because too many of their connector wait",
        '{{ printf "%.0f" $value }} signals in 15 minutes got the receipt `full` and were not taken.',
    ),
    Alert(
        "SignalsConnectorSilent",
        "warning",
        "sum without (instance, pod, outcome)"
        ' (increase(signals_connector_outcomes_total{connector!="other"}[1d] offset 2h))'
        " > <usualOutcomes> unless"
        # Its series begin anew with each worker, so that one may be there without ever having grown.
        " sum without (instance, pod, outcome) (increase(signals_connector_outcomes_total[2h]) > 0"
        " or signals_connector_outcomes_total unless signals_connector_outcomes_total offset 2h)",
        "A connector that is usually busy is silent",
        "{{ $labels.connector }} had no signal for 2 hours, after {{ $value | humanize }} in the day before.",
        hold="5m",
    ),
    Alert(
        "SignalsPaused",
        "info",
        f"{LEDGER} (signals_paused) > 0",
        "A pause has been on for an hour",
        "Signals are held back ({{ $labels.scope }}). Entries expire; a forgotten pause misses orders.",
        hold="1h",
    ),
)

WORKERS = (
    Alert(
        "SignalsWorkerAbsent",
        "critical",
        "count without (instance, pod) (last_over_time(signals_threads[6h]))"
        " unless count without (instance, pod) (signals_threads) or on () absent(signals_threads)",
        "No worker is running",
        "No worker can be scraped; nothing is posted.",
        hold="2m",
    ),
    Alert(
        "SignalsNoSweep",
        "critical",
        f"{LEDGER} (signals_workers) < 1",
        "No worker looks after the lanes",
        "Redis answers, but lets no worker sweep: nothing that is delayed, lost or retried moves.",
        hold="1m",
    ),
    Alert(
        "SignalsNoOutcomes",
        "critical",
        f"{LEDGER} (signals_waiting) > 0 and {LEDGER} (signals_oldest_free_due_seconds) > 0"
        f" unless {ENDS} (rate({ENDED}[5m])) > 0",
        "Signals wait and none ends",
        "{{ $value }} signals wait, and none has ended for 5 minutes.",
        hold="5m",
    ),
    Alert(
        "SignalsLanesStuck",
        "critical",
        f"{LEDGER} (signals_oldest_ring_seconds) > <lostRingSeconds>",
        "Lanes were rung and nobody takes them",
        "A lane has been rung for {{ $value | humanizeDuration }} without a worker taking it.",
        hold="1m",
    ),
    Alert(
        "SignalsCircuitOpen",
        "critical",
        f"{LEDGER} (signals_circuits_open) > 0",
        "The endpoint does not answer; posting is halted",
        "The circuit breaker lets but one probe at a time through.",
        hold="2m",
    ),
    Alert(
        "SignalsReloadFailing",
        "warning",
        f"{LEDGER} (signals_config_failing) > 0",
        "A changed file cannot be used",
        "The changed {{ $labels.file }} is broken; its former content stays in force.",
        hold="5m",
    ),
    Alert(
        "SignalsClockSkew",
        "warning",
        "abs(signals_clock_skew_seconds) > <skewSeconds>",
        "The clocks of a worker and Redis differ",
        "The clock of {{ $labels.instance }} and that of Redis are {{ $value | humanizeDuration }} apart.",
        hold="5m",
    ),
)

REDIS = (
    Alert(
        "SignalsRedisDown",
        "critical",
        "avg without (instance, pod) (signals_redis_up) < 1",
        "Redis cannot be reached",
        "Only {{ $value | humanizePercentage }} of the workers reach Redis.",
        hold="1m",
    ),
    Alert(
        "SignalsRedisRefusing",
        "critical",
        f"{LEDGER} (signals_redis_refusing) > 0",
        "Redis takes no signals",
        "It is full, or cannot write its append-only file: senders are refused, delayed signals stay.",
    ),
    Alert(
        "SignalsLedgerLost",
        "critical",
        f"{LEDGER} (resets(signals_admitted_total[15m])) > 0",
        "Redis has forgotten signals",
        "Its count of admitted signals has fallen: it was emptied, or restored from an older state. What has"
        " come since is gone if it waited, and may be posted again if it was.",
    ),
    Alert(
        "SignalsRedisMemory",
        "warning",
        f"{LEDGER} (signals_redis_memory_bytes / (signals_redis_memory_limit_bytes > 0)) > <memoryShare>",
        "Redis is nearly full",
        "{{ $value | humanizePercentage }} of maxmemory is in use; at 100 % no signal is taken.",
        hold="5m",
    ),
    Alert(
        "SignalsRedisNoAppendOnly",
        "warning",
        f"{LEDGER} (signals_redis_aof_enabled) < 1",
        "Redis writes no append-only file",
        "If Redis restarts now, accepted signals are lost and posted ones may be posted again.",
        hold="5m",
    ),
    Alert(
        "SignalsRedisEvicting",
        "critical",
        f"{LEDGER} (signals_redis_evicting) > 0",
        "Redis may evict signals",
        "maxmemory-policy is not noeviction: a full Redis would drop signals and claims silently.",
    ),
)

GATEWAY = (
    Alert(
        "SignalsGatewayAbsent",
        "critical",
        "count without (instance, pod) (last_over_time(signals_gateway_waiting[6h]))"
        " unless count without (instance, pod) (signals_gateway_waiting)",
        "The gateway is gone",
        "A gateway ran in the last hours and cannot be scraped any more; senders over HTTP are not heard.",
        hold="2m",
    ),
    Alert(
        "SignalsGatewayErrors",
        "critical",
        f'{ROUTES} (rate(signals_gateway_requests_total{{status="5xx",{REAL}}}[2m]))'
        f" / ({ROUTES} (rate(signals_gateway_requests_total{{{REAL}}}[2m])) > 0) > <gatewayErrorShare>",
        "The gateway answers with errors",
        "{{ $value | humanizePercentage }} of requests are answered 5xx.",
        hold="1m",
    ),
    Alert(
        "SignalsGatewaySlow",
        "warning",
        "signals:gateway_request_duration_seconds:p99_5m > <gatewaySeconds>",
        "The gateway answers slowly",
        "One answer in a hundred takes {{ $value | humanizeDuration }} or more; TradingView waits 3 s.",
        hold="5m",
    ),
    Alert(
        "SignalsInvalidRising",
        "warning",
        f'{SUM} (increase(signals_gateway_admissions_total{{status="invalid"}}[15m])) > <invalidSignals>',
        "Many signals are refused as invalid",
        '{{ printf "%.0f" $value }} signals in 15 minutes broke the contract and were not taken.',
    ),
)

GROUPS = {
    "signals-orders": ORDERS,
    "signals-workers": WORKERS,
    "signals-redis": REDIS,
    "signals-gateway": GATEWAY,
}
