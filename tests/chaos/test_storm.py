"""A short storm over a complete house: every promise is kept. ``make chaos`` makes longer ones."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chaos import report
from chaos.house import Size
from chaos.launch import WrongClock, faketime_library
from chaos.run import run


def nobody(phase: str, done: float, of: float) -> None:
    """Nobody watches."""


@pytest.mark.parametrize("seed", [1, 2, 4])  # 3 kills the server only when the storm is all but over
def test_a_short_storm(seed: int, tmp_path: Path) -> None:
    verdict = run(Size(seed=seed, seconds=9, rate=50), tmp_path, nobody)
    story = "\n".join(report.tell(verdict.history, verdict.violations, verdict.logs))
    assert verdict.violations == [], story
    # then: it was a storm
    assert verdict.numbers["sigkills"] >= 4
    assert verdict.numbers["server_restarts"] >= 1
    assert verdict.numbers["signals"] >= 100


@pytest.mark.skipif(faketime_library() is None, reason="Debian's faketime is not installed")
@pytest.mark.parametrize("minutes", [-3, 3])
def test_a_wrong_clock(minutes: int) -> None:
    library = faketime_library()
    assert library is not None
    script = "import time; time.sleep(0.01); print(time.time(), time.monotonic(), worker.clock.steady())"
    command = [sys.executable, "-c", f"import worker.clock; {script}"]
    command, environment = WrongClock(library, f"{minutes:+}m").given_to(command)
    said = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    clock, *steady = map(float, said.stdout.split())
    assert abs(clock - time.time() - minutes * 60) < 10
    assert all(abs(one - time.monotonic()) < 10 for one in steady), "only that clock is off"
