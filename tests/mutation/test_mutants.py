"""Breaks each promise in one line, in a copy of the project, and looks whether the tests notice.

A suite that stays green over a broken promise would be worth nothing; this is its own test.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.mutation.mutants import MUTANTS, PROMISES, Mutant

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("worker", "producers", "demo", "chaos", "tests", "docs", "pyproject.toml")
FAILED = 1
"""Pytest's exit code for tests that failed; 2 to 5 mean that they could not even be run."""


def copy_to(folder: Path) -> Path:
    """The project without what was compiled from it."""
    for name in NEEDED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


def run(copy: Path, *nodes: str) -> tuple[int, str]:
    """Exit code and output of these tests in the copy."""
    # What coverage, pytest and their caller want of the outer run is not meant for the inner one.
    foreign = ("PYTEST_", "COV", "SIGNALS_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *nodes],
        cwd=copy,
        # Nothing is run twice from a copy, and plug-ins take longer to load than most of these tests to fail.
        env={
            **inherited,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": str(copy),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_every_promise_is_broken_at_least_twice() -> None:
    times = Counter(mutant.promise for mutant in MUTANTS)
    assert set(times) == set(PROMISES)
    assert min(times.values()) >= 2


def test_whole_the_copy_is_sound(tmp_path: Path) -> None:
    nodes = sorted({node for mutant in MUTANTS for node in mutant.caught_by})
    code, output = run(copy_to(tmp_path), *nodes)
    assert code == 0, output


@pytest.fixture(scope="module")
def trials(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Mutant, Future[tuple[int, str]]]]:
    """The chosen mutants, each in a copy of its own, as many at a time as there are processors."""
    chosen: list[Mutant] = [
        item.callspec.params["mutant"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.function is test_a_broken_promise_is_noticed
    ]
    folders = {mutant: tmp_path_factory.mktemp("mutant") for mutant in chosen}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {mutant: pool.submit(try_out, mutant, folder) for mutant, folder in folders.items()}


def try_out(mutant: Mutant, folder: Path) -> tuple[int, str]:
    copy = copy_to(folder)
    file = copy / mutant.file
    whole = file.read_text("utf-8")
    assert whole.count(mutant.old) == 1, f"mend {mutant.name!r} in mutants.py: {mutant.file} has changed"
    file.write_text(whole.replace(mutant.old, mutant.new), "utf-8")
    try:
        return run(copy, *mutant.caught_by)
    finally:
        shutil.rmtree(copy)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_a_broken_promise_is_noticed(mutant: Mutant, trials: dict[Mutant, Future[tuple[int, str]]]) -> None:
    code, output = trials[mutant].result()
    assert code != 0, f"nobody noticed that {mutant.name}"
    assert code == FAILED, output
