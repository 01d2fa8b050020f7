"""The page stays whole whatever Redis does, and Redis is asked no more than it must be."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families as families

from worker.errors import QueueUnavailable
from worker.metrics import LedgerCollector
from worker.metrics.catalogue import CATALOGUE
from worker.records import Census, Outcome, ServerState

NOW = 1_700_000_000_000
EMPTY = Census(0, 0, 0, 0, 0, 0, 0, None, None, NOW)


def samples(collector: LedgerCollector) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(collector)
    found = [one for family in families(generate_latest(registry).decode()) for one in family.samples]
    return {f"{one.name}{sorted(one.labels.values()) or ''}": one.value for one in found}


def told(census: Census) -> dict[str, float]:
    return samples(LedgerCollector(lambda: census, wall=lambda: NOW / 1000))


def test_every_number_of_the_ledger() -> None:
    census = replace(
        EMPTY,
        waiting=4,
        delayed=5,
        lanes=6,
        leased=1,
        rung=2,
        halted=3,
        parked=7,
        ring_queue=8,
        workers=2,
        oldest_due_ms=NOW - 1500,
        oldest_free_due_ms=NOW - 500,
        oldest_rung_ms=NOW + 100,
        oldest_unknown_ms=NOW - 60_000,
        dead={"unknown": 1, "uncounted": 2, "\udcff": 1},
        dead_exits={"rejected": 1},
        revised={"unknown": 2},
        totals={"unknown": -1, "cancelled": 4, "admitted": 9, "duplicate": 1, "full": 2, "throttled": 3},
        pauses={"entries": ("a",), "all:acct": ("b",), "entries:acct": ("c",)},
        circuits={"host\udcff:1": NOW},
        circuits_open=1,
        server=ServerState(10, 0, evicting=True, append_only=False, disk_failing=False),
    )
    expected = {
        "signals_redis_up": 1,
        "signals_clock_skew_seconds": 0,
        "signals_admitted_total": 9,
        **{f"signals_ended_total['{outcome}']": 0 for outcome in Outcome},
        "signals_ended_total['unknown']": 1,
        "signals_ended_total['cancelled']": 4,
        "signals_duplicates_total": 1,
        "signals_conflicts_total": 0,
        "signals_full_total": 2,
        "signals_throttled_total": 3,
        "signals_waiting": 4,
        "signals_delayed": 5,
        "signals_lanes_working": 6,
        "signals_lanes['leased']": 1,
        "signals_lanes['rung']": 2,
        "signals_lanes['halted']": 3,
        "signals_lanes['waiting']": 7,
        "signals_ring_queue": 8,
        "signals_workers": 2,
        "signals_oldest_due_seconds": 1.5,
        "signals_oldest_free_due_seconds": 0.5,
        "signals_oldest_ring_seconds": 0,
        "signals_oldest_unknown_seconds": 60,
        **{f"signals_dead_letters['{reason}']": 0 for reason in ("rejected", "expired", "unsent", "invalid")},
        "signals_dead_letters['unknown']": 1,
        "signals_dead_letters['other']": 3,
        **{
            f"signals_dead_exits['{reason}']": 0
            for reason in ("unknown", "expired", "unsent", "invalid", "other")
        },
        "signals_dead_exits['rejected']": 1,
        "signals_paused['all']": 0,
        "signals_paused['entries']": 1,
        "signals_paused['connectors']": 2,
        "signals_circuit_open['host\\\\udcff:1']": 1,
        "signals_circuits_open": 1,
        "signals_redis_memory_bytes": 10,
        "signals_redis_memory_limit_bytes": 0,
        "signals_redis_aof_enabled": 0,
        "signals_redis_evicting": 1,
        "signals_redis_refusing": 0,
    }
    assert told(census) == expected
    ledger = {spec.name for spec in CATALOGUE.values() if spec.scope == "ledger"}
    assert ledger <= {name.partition("[")[0] for name in expected}, "and that is all of them"


def test_what_is_delayed_and_overdue_waits_like_the_rest() -> None:
    found = told(replace(EMPTY, next_delayed_ms=NOW - 7000, oldest_due_ms=NOW - 1000))
    assert found["signals_oldest_due_seconds"] == found["signals_oldest_free_due_seconds"] == 7
    found = told(replace(EMPTY, next_delayed_ms=NOW + 7000, oldest_due_ms=NOW - 1000))
    assert found["signals_oldest_due_seconds"] == 1


@pytest.mark.parametrize(("memory", "failing"), [(100, False), (1, True)])
def test_a_server_that_takes_no_signals_is_told(memory: int, failing: bool) -> None:
    server = ServerState(memory, 100, evicting=False, append_only=True, disk_failing=failing)
    assert told(replace(EMPTY, server=server))["signals_redis_refusing"] == 1


def test_what_may_not_be_asked_is_not_told() -> None:
    assert not [name for name in told(EMPTY) if "memory" in name or "evicting" in name]


@pytest.mark.parametrize("error", [QueueUnavailable("away"), ValueError("nonsense"), RecursionError()])
def test_without_an_answer_the_page_says_so_and_no_more(error: Exception) -> None:
    def census() -> Census:
        raise error

    assert samples(LedgerCollector(census)) == {"signals_redis_up": 0}


def test_clocks_are_compared_at_the_middle_of_the_call() -> None:
    times = iter([NOW / 1000 - 3, NOW / 1000 - 1])
    found = samples(LedgerCollector(lambda: EMPTY, wall=lambda: next(times)))
    assert found["signals_clock_skew_seconds"] == 2


def in_threads(count: int, work: Callable[[], object]) -> list[threading.Thread]:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def test_scrapes_that_overlap_share_an_answer() -> None:
    asked, release = threading.Semaphore(0), threading.Event()
    calls: list[Census] = []

    def census() -> Census:
        calls.append(EMPTY)
        asked.release()
        release.wait(10)
        return EMPTY

    ticks = iter(range(1000))
    waiting = threading.Semaphore(0)

    def clock() -> float:
        waiting.release()
        return next(ticks)

    collector = LedgerCollector(census, clock=clock)
    found: list[dict[str, float]] = []
    # given: one scrape that waits for Redis, and more that come meanwhile
    first = in_threads(1, lambda: found.append(samples(collector)))
    assert asked.acquire(timeout=10)
    others = in_threads(5, lambda: found.append(samples(collector)))
    for _ in range(6):
        assert waiting.acquire(timeout=10)
    # when
    release.set()
    for thread in first + others:
        thread.join(10)
    # then
    assert len(calls) == 1
    assert [one["signals_redis_up"] for one in found] == [1] * 6
    samples(collector)
    assert len(calls) == 2, "who comes later asks anew"
