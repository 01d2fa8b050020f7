"""The plan of faults: repeatable, complete, and one fault at a time for each victim."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import pytest

from chaos.plan import ENDPOINT, KINDS, SERVER, Fault, plan

TARGETS = {
    "pod": ["pod-0", "pod-1", "pod-2"],
    "wire": ["wire-0", "wire-1", "wire-2", "wire-3"],
    "sender": ["sender-0", "sender-1", "sender-2"],
    SERVER: [SERVER],
    ENDPOINT: [ENDPOINT],
}


def test_a_seed_repeats_it() -> None:
    assert plan(7, 60, TARGETS) == plan(7, 60, TARGETS)
    assert plan(7, 60, TARGETS) != plan(8, 60, TARGETS)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("seconds", [10.0, 25.0, 600.0])
def test_nobody_is_hit_twice_at_once(seed: int, seconds: float) -> None:
    by_victim: dict[str, list[Fault]] = defaultdict(list)
    for fault in plan(seed, seconds, TARGETS):
        assert 0 <= fault.at < seconds
        by_victim[fault.target].append(fault)
    for faults in by_victim.values():
        for first, second in pairwise(faults):
            assert second.at >= first.at + first.lasts


@pytest.mark.parametrize("seed", range(20))
def test_a_short_run_has_something_of_it(seed: int) -> None:
    faults = [fault.kind for fault in plan(seed, 9, TARGETS)]
    assert faults.count("kill worker") >= 3
    assert "kill server" in faults
    assert len(set(faults)) >= 6


@pytest.mark.parametrize("seed", range(20))
def test_a_long_run_has_all_there_is_and_enough_of_it(seed: int) -> None:
    faults = [fault.kind for fault in plan(seed, 600, TARGETS)]
    assert set(faults) == set(KINDS)
    assert faults.count("kill worker") >= 50
    assert faults.count("kill server") >= 10
