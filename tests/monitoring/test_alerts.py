"""Every alert fires when it should, stays silent when not, and is over when its cause is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from monitoring import alerts
from tests.monitoring.promtool import RULES, Case, check
from tests.programs import program


def gauge(
    alert: str, metric: str, good: str, bad: str, *, hold: int = 0, severity: str = "critical", why: str = ""
) -> Case:
    """Six minutes well, one more than ``hold`` bad, then well again."""
    values = f"{good}x5 {bad}x{hold + 9} {good}x10"
    return Case(
        alert,
        {metric: values},
        fires=(f"{6 + hold}m",),
        silent=("5m", *([f"{5 + hold}m"] if hold else []), f"{6 + hold + 10}m"),
        severity=severity,
        why=why,
    )


def steady(
    alert: str, why: str, *series: tuple[str, str], until: str = "20m", severity: str = "critical"
) -> Case:
    """Never fires."""
    return Case(alert, dict(series), silent=("10m", until), severity=severity, why=why)


def outcomes(outcome: str) -> str:
    return f'signals_latency_seconds_count{{outcome="{outcome}"}}'


LATE = "signals_lateness_seconds_bucket"
ANSWERS = "signals_gateway_request_duration_seconds_bucket"
CONNECTOR = 'signals_connector_outcomes_total{connector="acct-7",outcome="accepted"}'
OTHER = 'signals_connector_outcomes_total{connector="other",outcome="accepted"}'
RARE = 'signals_connector_outcomes_total{connector="rare",outcome="accepted"}'

WAITING = {"signals_waiting": "5x60", "signals_oldest_free_due_seconds": "1x60"}

CASES = [
    gauge("SignalsUnknownOutcomes", 'signals_dead_letters{reason="unknown"}', "0", "2"),
    steady("SignalsUnknownOutcomes", "others", ('signals_dead_letters{reason="rejected"}', "5x30")),
    Case(
        "SignalsUnknownOutcomes",
        {'signals_dead_letters{reason="unknown"}': "0x5 2x5 _x40", "signals_redis_up": "1x10 0x40"},
        fires=("8m", "12m", "25m"),
        silent=("4m", "40m"),
        why="Redis goes away",
    ),
    Case(
        "SignalsUnknownOutcomes",
        {
            'signals_dead_letters{reason="unknown"}': "0x5 2x5 _x10 0x10",
            "signals_redis_up": "1x10 0x10 1x10",
        },
        fires=("18m",),
        silent=("4m", "24m"),
        why="Redis comes back without them",
    ),
    Case(
        "SignalsUnknownOutcomes",
        {'signals_dead_letters{reason="unknown"}': "0x5 2x5 _x40", "signals_redis_up": "1x10 _x40"},
        fires=("17m",),
        silent=("4m", "40m"),
        why="all workers go away",
    ),
    Case(
        "SignalsFailedExits",
        {'signals_dead_exits{reason="expired"}': "0x5 1x5 _x40", "signals_redis_up": "1x10 0x40"},
        fires=("8m", "20m"),
        silent=("4m", "40m"),
        why="Redis goes away",
    ),
    gauge("SignalsFailedExits", 'signals_dead_exits{reason="expired"}', "0", "1"),
    steady("SignalsFailedExits", "unknown ones", ('signals_dead_exits{reason="unknown"}', "1x30")),
    gauge("SignalsOldestDueTooOld", "signals_oldest_free_due_seconds", "29", "31", hold=1),
    steady(
        "SignalsOldestDueTooOld",
        "held back on purpose",
        ("signals_oldest_due_seconds", "900x30"),
        ("signals_oldest_free_due_seconds", "0x30"),
        ('signals_paused{scope="connectors"}', "1x30"),
    ),
    Case(
        "SignalsOldestDueTooOld",
        {"signals_oldest_free_due_seconds": "900x30", 'signals_paused{scope="connectors"}': "1x30"},
        fires=("10m",),
        silent=("0m",),
        why="others are held back",
    ),
    Case(
        "SignalsLate",
        {
            f'{LATE}{{delayed="yes",le="1.0"}}': "0+60x20 1200x30 1200+60x30",
            f'{LATE}{{delayed="yes",le="10.0"}}': "0+60x82",
            f'{LATE}{{delayed="yes",le="+Inf"}}': "0+60x82",
        },
        fires=("40m",),
        silent=("20m", "30m", "60m"),
        severity="warning",
    ),
    Case(
        "SignalsErrorBudgetBurn",
        {outcomes("accepted"): "0+100x150", outcomes("unknown"): "0x60 0+10x20 200x70"},
        fires=("76m",),
        silent=("60m", "90m"),
        labels={"long": "1h"},
    ),
    Case(
        "SignalsErrorBudgetBurn",
        {
            outcomes("accepted"): "0+100x150",
            outcomes("rejected"): "0+10x150",
            outcomes("invalid"): "0+10x150",
        },
        silent=("76m", "120m"),
        labels={"long": "1h"},
        why="the sender's fault",
    ),
    Case(
        "SignalsErrorBudgetBurn",
        {outcomes("accepted"): "0+0.05x150", outcomes("expired"): "0x60 0+0.05x19 1x70"},
        silent=("70m", "78m"),
        labels={"long": "1h"},
        why="one failure of few",
    ),
    Case(
        "SignalsErrorBudgetBurn",
        {outcomes("accepted"): "0+500x180", outcomes("unsent"): "0x72 0+4x60 240x80"},
        fires=("10h55m",),
        silent=("6h", "12h"),
        labels={"long": "6h"},
        step="5m",
        why="0.8 %",
    ),
    Case(
        "SignalsErrorBudgetBurn",
        {outcomes("accepted"): "0+3000x200", outcomes("unsent"): "0+12x132 1584x60"},
        fires=("33h",),
        silent=("15m", "38h"),
        severity="warning",
        labels={"long": "1d"},
        step="15m",
        why="0.4 %",
    ),
    Case(
        "SignalsErrorBudgetBurn",
        {outcomes("accepted"): "0+6000x200", outcomes("unsent"): "0+9x166 1494x40"},
        fires=("80h",),
        silent=("30m", "95h"),
        severity="warning",
        labels={"long": "3d"},
        step="30m",
        why="0.15 %",
    ),
    Case(
        "SignalsDeadLettersRising",
        {
            'signals_ended_total{outcome="rejected"}': "3x20 20x40",
            'signals_ended_total{outcome="expired"}': "0x20 9x40",
            'signals_ended_total{outcome="accepted"}': "0+500x60",
        },
        fires=("22m", "34m"),
        silent=("20m", "37m"),
        severity="warning",
    ),
    Case(
        "SignalsDeadLettersRising",
        {
            'signals_ended_total{outcome="rejected"}': "100x25 160x40",
            'signals_dead_letters{reason="rejected"}': "100x20 0x5 60x40",
        },
        fires=("28m",),
        silent=("24m", "45m"),
        severity="warning",
        why="after others were decided about",
    ),
    steady(
        "SignalsDeadLettersRising",
        "many, but none new",
        ('signals_ended_total{outcome="rejected"}', "5000x40"),
        severity="warning",
    ),
    Case(
        "SignalsConflicts",
        {"signals_conflicts_total": "4x20 5x40"},
        fires=("22m",),
        silent=("20m", "40m"),
        severity="warning",
    ),
    Case("SignalsRefusedFull", {"signals_full_total": "0x20 90x40"}, ("22m",), ("20m", "40m"), "warning"),
    Case(
        "SignalsConnectorSilent",
        {CONNECTOR: "0+1x311 311x40 311+1x40", RARE: "0+0.1x400", OTHER: "0+1x311 311x80"},
        fires=("28h20m",),
        silent=("26h", "27h50m", "31h"),
        severity="warning",
        step="5m",
    ),
    Case(
        "SignalsConnectorSilent",
        {CONNECTOR: "0+1x311 stale", f'{CONNECTOR[:-1]},job="signals",instance="new:9464"}}': "_x320 1x90"},
        silent=("27h50m", "28h20m"),
        severity="warning",
        step="5m",
        why="its one outcome of late began the series of a new worker",
    ),
    gauge("SignalsPaused", 'signals_paused{scope="all"}', "0", "1", hold=60, severity="info"),
    Case("SignalsWorkerAbsent", {"signals_threads": "64x10 _x20 64x10"}, ("20m",), ("10m", "35m")),
    Case(
        "SignalsWorkerAbsent",
        {
            'signals_threads{kind="posting",instance="a"}': "64x40",
            'signals_threads{kind="posting",instance="b"}': "64x5",
        },
        silent=("5m", "30m"),
        why="one of two goes",
    ),
    Case(
        "SignalsWorkerAbsent",
        {
            'signals_threads{kind="posting",namespace="one",instance="a"}': "64x40",
            'signals_threads{kind="posting",namespace="two",instance="b"}': "64x5 _x35",
        },
        fires=("20m",),
        silent=("5m",),
        labels={"namespace": "two"},
        why="of one of two releases",
    ),
    Case("SignalsWorkerAbsent", {"up": "1x20"}, fires=("5m",), silent=("1m",), why="never was one"),
    Case(
        "SignalsNoOutcomes",
        {**WAITING, outcomes("accepted"): "0+10x10 100x20 100+10x20"},
        fires=("25m",),
        silent=("10m", "18m", "35m"),
    ),
    Case("SignalsNoOutcomes", WAITING, fires=("10m",), silent=("4m",), why="never one"),
    steady("SignalsNoOutcomes", "nothing waits", ("signals_waiting", "0x30"), (outcomes("accepted"), "7x30")),
    steady(
        "SignalsNoOutcomes",
        "held back",
        ("signals_waiting", "7x30"),
        ("signals_oldest_free_due_seconds", "0x30"),
    ),
    gauge("SignalsNoSweep", "signals_workers", "2", "0", hold=1),
    gauge("SignalsLanesStuck", "signals_oldest_ring_seconds", "29", "31", hold=1),
    gauge("SignalsCircuitOpen", "signals_circuits_open", "0", "1", hold=2),
    gauge(
        "SignalsReloadFailing",
        'signals_config_failing{file="accounts_file"}',
        "0",
        "1",
        hold=5,
        severity="warning",
    ),
    gauge(
        "SignalsClockSkew",
        'signals_clock_skew_seconds{instance="a"}',
        "0.9",
        "-1.1",
        hold=5,
        severity="warning",
    ),
    gauge("SignalsRedisDown", "signals_redis_up", "1", "0", hold=1),
    Case(
        "SignalsRedisDown",
        {'signals_redis_up{instance="a"}': "1x20", 'signals_redis_up{instance="b"}': "1x5 0x5 1x10"},
        fires=("8m",),
        silent=("5m", "12m"),
        why="for one worker",
    ),
    Case(
        "SignalsRedisMemory",
        {"signals_redis_memory_bytes": "79x5 81x10 79x10", "signals_redis_memory_limit_bytes": "100x30"},
        fires=("12m",),
        silent=("5m", "10m", "17m"),
        severity="warning",
    ),
    steady(
        "SignalsRedisMemory",
        "no limit",
        ("signals_redis_memory_bytes", "81x30"),
        ("signals_redis_memory_limit_bytes", "0x30"),
        severity="warning",
    ),
    gauge("SignalsRedisNoAppendOnly", "signals_redis_aof_enabled", "1", "0", hold=5, severity="warning"),
    gauge("SignalsRedisRefusing", "signals_redis_refusing", "0", "1"),
    Case(
        "SignalsLedgerLost",
        {"signals_admitted_total": "0+10x10 5+10x40"},
        fires=("12m", "24m"),
        silent=("10m", "30m"),
    ),
    Case(
        "SignalsLedgerLost",
        {
            'signals_admitted_total{instance="a"}': "0+10x10 _x40",
            'signals_admitted_total{instance="b"}': "_x10 100+10x40",
        },
        silent=("5m", "12m", "20m"),
        why="a worker is replaced",
    ),
    gauge("SignalsRedisEvicting", "signals_redis_evicting", "0", "1"),
    Case("SignalsGatewayAbsent", {"signals_gateway_waiting": "0x10 _x20 0x10"}, ("20m",), ("10m", "35m")),
    steady("SignalsGatewayAbsent", "there is none", ("signals_threads", "64x30")),
    Case(
        "SignalsGatewayErrors",
        {
            'signals_gateway_requests_total{route="webhook",status="2xx"}': "0+90x60",
            'signals_gateway_requests_total{route="webhook",status="5xx"}': "0x20 0+10x20 200x20",
            'signals_gateway_requests_total{route="readyz",status="2xx"}': "0+6000x60",
        },
        fires=("23m", "40m"),
        silent=("20m", "44m"),
    ),
    steady(
        "SignalsGatewayErrors",
        "probes only",
        ('signals_gateway_requests_total{route="readyz",status="5xx"}', "0+60x30"),
        ('signals_gateway_requests_total{route="webhook",status="2xx"}', "0+60x30"),
    ),
    Case(
        "SignalsGatewaySlow",
        {
            f'{ANSWERS}{{route="webhook",le="1.0"}}': "0+60x20 1200x20 1200+60x20",
            f'{ANSWERS}{{route="webhook",le="2.5"}}': "0+60x61",
            f'{ANSWERS}{{route="webhook",le="+Inf"}}': "0+60x61",
            f'{ANSWERS}{{route="metrics",le="+Inf"}}': "0+6000x61",
        },
        fires=("35m",),
        silent=("20m", "50m"),
        severity="warning",
    ),
    Case(
        "SignalsInvalidRising",
        {'signals_gateway_admissions_total{status="invalid"}': "0x20 0+4x5 20x40"},
        fires=("28m",),
        silent=("20m", "50m"),
        severity="warning",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_alert(case: Case, tmp_path: Path) -> None:
    assert check(case, tmp_path) == ""


def test_every_alert_fires_and_is_silent_in_some_case() -> None:
    rules = {
        (one.name, one.severity, one.labels.get("long")) for group in alerts.GROUPS.values() for one in group
    }
    seen = [(case, (case.alert, case.severity, case.labels.get("long"))) for case in CASES]
    assert {key for case, key in seen if case.fires} == rules
    assert {key for case, key in seen if case.silent} == rules


def test_rules_are_valid() -> None:
    done = subprocess.run(
        [program("promtool"), "check", "rules", *map(str, RULES)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
