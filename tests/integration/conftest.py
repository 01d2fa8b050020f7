"""Queues on the embedded server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import redis

from tests.integration.desk import Desk
from worker.lanes import Brakes, Timing


@pytest.fixture
def make_desk(client: redis.Redis, prefix: str) -> Callable[..., Desk]:
    """Makes a queue with its own timing; ``brakes`` are given whole."""

    def make(brakes: Brakes | None = None, **timing: int) -> Desk:
        return Desk(client, prefix, replace(Timing(), **timing), brakes)

    return make


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk()
