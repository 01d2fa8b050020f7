"""The examples that users are shown, run."""

from __future__ import annotations

import doctest
import importlib
import re
from inspect import signature
from pathlib import Path

import pytest

from producers import MemoryProducer

PAGES = [Path(__file__).parents[3] / page for page in ("README.md", "docs/library.md")]


@pytest.mark.parametrize(
    "module",
    [
        "producers",
        "producers.aio",
        "producers.errors",
        "producers.producer",
        "producers.receipts",
        "producers.testing",
    ],
)
def test_docstrings(module: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(module))
    assert tried > 0
    assert failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block of Python stands for itself: one that sends finds a queue in memory, tests in it are run."""
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S)
    assert blocks
    for block in blocks:
        names: dict[str, object] = {}
        monkeypatch.setenv("SIGNALS_REDIS_URL", "memory://")
        with MemoryProducer() as outbox:
            exec(compile(block, page.name, "exec"), names)
        tests = [value for name, value in names.items() if name.startswith("test_")]
        for test in tests:
            assert callable(test)
            test(**({"monkeypatch": monkeypatch} if "monkeypatch" in signature(test).parameters else {}))
        assert tests or outbox.sent
