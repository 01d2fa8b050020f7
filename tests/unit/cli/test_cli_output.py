"""Where the output of a command cannot go."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from demo.stack import cli

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize("program", ["worker", "producers"])
def test_a_full_disk_is_told_in_one_line(program: str) -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            cli(program, "--help"), stdout=full, stderr=subprocess.PIPE, text=True, timeout=30, check=False
        )

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "cannot write (No space left on device): what was done before is done" in done.stderr
