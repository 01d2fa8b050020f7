"""What each part drags in when it is imported, seen from a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

import pytest


def loaded_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("core", ["contract", "policy", "verdict", "handling", "dispatch", "wake"])
def test_the_core_knows_nothing_of_the_outside(core: str) -> None:
    outside = {"celery", "kombu", "redis", "requests", "urllib3", "prometheus_client"}
    assert loaded_by(f"worker.{core}") & outside == set()


def test_producers_are_light() -> None:
    loaded = loaded_by("producers")
    assert loaded & {"celery", "celery.worker", "requests", "prometheus_client", "worker.dispatch"} == set()


def test_the_command_line_is_light() -> None:
    loaded = loaded_by("worker.cli")
    assert loaded & {"celery", "redis", "requests", "prometheus_client", "pydantic"} == set()


@pytest.mark.parametrize(
    "module", ["producers", "producers.cli", "producers.cli.gateway", "producers.cli.new_key"]
)
def test_only_the_gateway_needs_its_extra(module: str) -> None:
    assert loaded_by(module) & {"fastapi", "starlette", "uvicorn", "httptools", "uvloop"} == set()


def test_without_the_extra_it_is_said_which() -> None:
    code = "import sys; sys.modules['uvicorn'] = None; from producers.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "gateway"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "pip install '.[gateway]'" in done.stderr
