"""Series per connector stay few, grow only, and add up."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families as families

from tests.unit.fakes import ended_of, make_head
from worker.lanes import Outcome, Settlement
from worker.metrics import connector_metrics
from worker.metrics.connectors import OTHER, TURN, BusiestConnectors


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def counts(busiest: BusiestConnectors) -> dict[str, int]:
    return {name: one.count for name, one in busiest.series().items()}


def add(busiest: BusiestConnectors, **signals: int) -> None:
    for name, count in signals.items():
        for _ in range(count):
            busiest.add(name, "accepted", 0.5)


NAMES = st.sampled_from(["a", "b", "c", "d", "e", "f", OTHER, "\udcff"])
STEPS = st.lists(
    st.tuples(
        NAMES, st.sampled_from(["accepted", "unknown"]), st.integers(1, 30), st.sampled_from([0, 1, 61])
    ),
    max_size=60,
)


@given(STEPS, st.integers(1, 4))
def test_whatever_happens(steps: list[tuple[str, str, int, float]], places: int) -> None:
    clock = Clock()
    busiest = BusiestConnectors(places, clock)
    total: Counter[str] = Counter()
    seconds = 0.0
    before = busiest.series()
    for name, outcome, times, pause in steps:
        clock.now += pause
        for _ in range(times):
            busiest.add(name, outcome, 0.25)
        total[outcome] += times
        seconds += times * 0.25
        now = busiest.series()
        # sums are kept, for each outcome
        told: Counter[str] = Counter()
        for one in now.values():
            told.update(one.outcomes)
        assert told == total
        assert math.isclose(sum(one.seconds for one in now.values()), seconds)
        # series are few, and so is what is remembered beside them
        assert len(now) <= places + 1
        assert len(busiest._candidates) <= places * 4
        # and while they are there, they grow
        for name_before in before.keys() & now.keys():
            was, is_now = before[name_before], now[name_before]
            assert is_now.seconds >= was.seconds
            assert all(is_now.outcomes.get(key, 0) >= count for key, count in was.outcomes.items())
        # at most one has lost its place
        assert len(before.keys() - now.keys() - {OTHER}) <= 1
        before = now


class TestPlaces:
    def test_come_first_and_stick(self) -> None:
        clock = Clock()
        busiest = BusiestConnectors(2, clock)
        add(busiest, a=1, b=1, c=50)
        assert counts(busiest) == {"a": 1, "b": 1, OTHER: 50}
        clock.now = TURN - 1
        add(busiest, c=50)
        assert counts(busiest) == {"a": 1, "b": 1, OTHER: 100}

    def test_the_idlest_gives_way_to_who_is_clearly_busier(self) -> None:
        clock = Clock()
        busiest = BusiestConnectors(2, clock)
        add(busiest, a=5, b=2, c=30, d=40)
        clock.now = TURN
        add(busiest, d=1, a=1)
        # then: what was counted for b is with the others, and d begins anew
        assert counts(busiest) == {"a": 6, "d": 1, OTHER: 72}

    @pytest.mark.parametrize(("member", "outsider"), [(20, 39), (1, 10)])
    def test_one_that_is_hardly_busier_has_to_wait(self, member: int, outsider: int) -> None:
        clock = Clock()
        busiest = BusiestConnectors(1, clock)
        add(busiest, a=member, b=outsider)
        clock.now = TURN
        add(busiest, a=1)
        assert counts(busiest) == {"a": member + 1, OTHER: outsider}

    def test_a_busy_one_is_found_among_thousands(self) -> None:
        clock = Clock()
        busiest = BusiestConnectors(1, clock)
        add(busiest, idle=1)
        for number in range(5000):
            busiest.add(f"acct-{number}", "accepted", 0.1)
            busiest.add("busy", "accepted", 0.1)
        clock.now = TURN
        add(busiest, busy=1)
        assert counts(busiest) == {"busy": 1, OTHER: 10_001}

    def test_one_called_other_is_one_of_the_others(self) -> None:
        busiest = BusiestConnectors(5, Clock())
        add(busiest, **{OTHER: 2, "a": 1})
        assert counts(busiest) == {"a": 1, OTHER: 2}


def page(wanted: str, *lanes: str) -> dict[tuple[str, str], float]:
    metrics = connector_metrics(wanted)
    assert metrics is not None
    registry = CollectorRegistry()
    registry.register(metrics)
    for lane in lanes:
        metrics.ended(ended_of(Settlement(make_head(lane), Outcome.ACCEPTED)))
    text = generate_latest(registry).decode()
    samples = [sample for family in families(text) for sample in family.samples]
    return {(one.name, one.labels["connector"]): one.value for one in samples}


def test_what_prometheus_is_told() -> None:
    outcomes, count, total = (
        f"signals_connector_{name}"
        for name in ("outcomes_total", "latency_seconds_count", "latency_seconds_sum")
    )
    assert page("top:1", "a\udcff", "b", "c") == {
        (outcomes, "a\\udcff"): 1,
        (outcomes, OTHER): 2,
        (count, "a\\udcff"): 1,
        (count, OTHER): 2,
        (total, "a\\udcff"): 0,
        (total, OTHER): 0,
    }
    everybody = [f"acct-{number}" for number in range(500)]
    assert {name for _, name in page("all", *everybody)} == set(everybody)
    assert connector_metrics("none") is None
