"""A short storm over a complete house: every promise is kept. ``make chaos`` makes longer ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chaos import report
from chaos.house import Size
from chaos.pods import faketime_library
from chaos.run import run


def nobody(phase: str, done: float, of: float) -> None:
    """Nobody watches."""


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_short_storm(seed: int, tmp_path: Path) -> None:
    verdict = run(Size(seed=seed, seconds=9, rate=40), tmp_path, nobody)
    story = "\n".join(report.tell(verdict.history, verdict.violations, verdict.logs))
    assert verdict.violations == [], story
    # then: it was a storm
    assert verdict.numbers["sigkills"] >= 4
    assert verdict.numbers["server_restarts"] >= 1
    assert verdict.numbers["signals"] >= 200


@pytest.mark.skipif("CI" not in os.environ, reason="a wrong clock is optional elsewhere")
def test_a_clock_can_be_wrong() -> None:
    assert faketime_library() is not None
