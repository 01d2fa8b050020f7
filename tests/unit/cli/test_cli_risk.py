from __future__ import annotations

from typing import Any

import pytest

from worker.cli.risk import LATE_MS, risks
from worker.lanes import Census
from worker.records import ServerState

NOW = 1_000_000


def census(**fields: Any) -> Census:
    basis = dict.fromkeys(("lanes", "waiting", "delayed", "leased", "halted", "rung", "ring_queue"), 0)
    return Census(**{**basis, "oldest_due_ms": None, "next_delayed_ms": None, "now_ms": NOW, **fields})


def told(**fields: Any) -> list[tuple[str, str]]:
    return [(risk.level, risk.text) for risk in risks(census(**fields))]


def test_an_idle_or_busy_installation_in_time_is_no_risk() -> None:
    assert told() == []
    in_time = NOW - LATE_MS
    assert (
        told(
            oldest_due_ms=in_time,
            oldest_rung_ms=in_time,
            next_wakeup_ms=in_time,
            next_delayed_ms=in_time,
            waiting=9,
            workers=1,
        )
        == []
    )


@pytest.mark.parametrize("kind", ["waiting", "delayed"])
def test_signals_that_wait_for_no_worker_at_all(kind: str) -> None:
    assert told(**{kind: 1}) == [
        ("bad", "no worker runs, or Redis lets none write: nothing that waits is posted")
    ]
    assert told(**{kind: 1}, workers=1) == []


def test_failed_exits_are_worse_than_missed_entries() -> None:
    assert told(dead={"rejected": 3, "unsent": 1}, dead_exits={"rejected": 1, "unsent": 1}) == [
        ("bad", "2 signals that should close or cancel did not (1 rejected, 1 unsent): look at the account"),
        ("warn", "2 signals did not become an order (2 rejected)"),
    ]
    assert told(dead={"unknown": 1}, dead_exits={"unknown": 1})[0][1].startswith("1 signal may or may not")


@pytest.mark.parametrize(
    ("memory", "limit", "evicting", "failing", "found"),
    [
        (10**9, 0, False, False, []),
        (79, 100, False, False, []),
        (80, 100, False, False, [("warn", "80% of Redis' memory are used: at 100% producers are refused")]),
        (
            100,
            100,
            False,
            False,
            [("bad", "Redis is full (maxmemory): producers are refused until there is room")],
        ),
        (1, 2, True, False, [("bad", "Redis may evict signals: set maxmemory-policy noeviction")]),
        (
            1,
            2,
            False,
            True,
            [("bad", "Redis cannot write its append-only file: producers are refused until it can")],
        ),
    ],
)
def test_a_server_that_takes_nothing_any_more(
    memory: int, limit: int, evicting: bool, failing: bool, found: list[tuple[str, str]]
) -> None:
    server = ServerState(memory, limit, evicting=evicting, append_only=True, disk_failing=failing)
    assert told(server=server) == found


def test_doubt_comes_first_and_names_the_command() -> None:
    first, second = risks(census(dead={"expired": 2, "rejected": 1, "unknown": 1200}))
    assert (first.level, first.text.split(" may")[0]) == ("bad", "1,200 signals")
    assert first.look == "signal-worker dead list --reason unknown"
    assert (second.level, second.text) == (
        "warn",
        "3 signals did not become an order (1 rejected, 2 expired)",
    )


@pytest.mark.parametrize("reason", ["uncounted", "of the next release"])
def test_reasons_nobody_knows_are_bad(reason: str) -> None:
    assert told(dead={reason: 1}) == [("bad", "1 signal ended for an unknown reason")]


@pytest.mark.parametrize("field", ["next_wakeup_ms", "next_delayed_ms", "oldest_rung_ms"])
def test_work_that_nobody_touches_means_that_no_worker_runs(field: str) -> None:
    ((level, text),) = told(**{field: NOW - LATE_MS - 1})
    assert level == "bad"
    assert text.startswith("no worker seems to run: ")
    assert text.endswith("since 10 s")


def test_a_long_queue_before_working_workers_is_not_their_absence() -> None:
    assert told(oldest_rung_ms=NOW - 60_000, leased=64) == []


def test_lateness_and_deletions_are_told() -> None:
    assert told(oldest_due_ms=NOW - 240_000) == [("warn", "the oldest waiting signal is 4 min late")]
    assert told(totals={"vanished": 1}) == [
        ("warn", "1 signal vanished from Redis: somebody deleted them there")
    ]
