"""What the Dockerfile must say; ``make image-proof`` builds it and sees it work."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

HOUSE = Path(__file__).resolve().parents[2]
DOCKERFILE = (HOUSE / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
VERSION = tomllib.loads((HOUSE / "pyproject.toml").read_text("utf-8"))["project"]["version"]


def test_labels_chart_and_package_tell_one_version() -> None:
    assert re.findall(r"^ARG VERSION=(\S+)$", DOCKERFILE, re.M) == [VERSION]
    assert yaml.safe_load((HOUSE / "helm" / "Chart.yaml").read_text("utf-8"))["appVersion"] == VERSION


def test_everything_from_an_index_is_pinned_and_hashed() -> None:
    installs = [line for line in DOCKERFILE.splitlines() if re.search(r'pip"?,? "?install', line)]
    assert len(installs) == 3
    for line in installs:
        assert "--require-hashes" in line or "--no-index" in line
        assert "--no-deps" in line
    for name in re.findall(r'"(requirements/\S+\.txt)"', DOCKERFILE):
        pins = re.findall(r"^[a-z0-9].*$", (HOUSE / name).read_text("utf-8"), re.M)
        assert pins
        assert [pin for pin in pins if "==" not in pin] == []


def test_what_ends_it_arrives() -> None:
    """No shell stands between the engine and the worker, which would keep SIGTERM to itself."""
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r'^CMD \["signal-worker", "run"\]$', last, re.M)
    assert re.search(r"^USER [1-9]\d+:[1-9]\d+$", last, re.M)
    assert "RUN" not in last.replace("RUNTIME", "")


def test_only_what_is_named_is_sent_to_the_builder() -> None:
    lines = (HOUSE / ".dockerignore").read_text("utf-8").split()
    assert lines[0] == "*"
    sent = {line[1:].rstrip("/") for line in lines if line.startswith("!")}
    copied = {
        word.split("/")[0]
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.M)
        for word in line.split()
    }
    assert copied <= sent
