"""The job as a good engineer would first write it: validate, claim with SET NX, POST, record.

It keeps no order, loses what a crash takes, and posts again what a redelivery brings; that is not measured.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import redis
import requests
from pydantic import BaseModel

REDIS_URL = os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1")
SINK_URL = os.environ.get("BENCH_SINK_URL", "")
KEPT_SECONDS = 86_400

CONNECTIONS = 1000
"""More than any contender has threads; of itself redis-py opens a hundred, and then raises."""

_client = redis.Redis.from_url(REDIS_URL, max_connections=CONNECTIONS)
_local = threading.local()


class Order(BaseModel):
    connectorName: str  # noqa: N815 - the wire's own names
    connectorToken: str  # noqa: N815
    action: str
    fixed: str | None = None
    percent: str | None = None
    log: str | None = None
    clientOrderId: str  # noqa: N815


def do(message: dict[str, Any]) -> None:
    order = Order.model_validate(message)
    key = f"job:{order.connectorName}:{order.clientOrderId}"
    if not _client.set(key, "sending", nx=True, ex=KEPT_SECONDS):
        return
    response = _session().post(SINK_URL, json=order.model_dump(exclude_none=True), timeout=10)
    _client.set(key, "accepted" if response.text == "ok" else "failed", ex=KEPT_SECONDS)


def _session() -> requests.Session:
    """One per thread: requests does not promise that a Session can be shared."""
    if not hasattr(_local, "session"):
        _local.session = requests.Session()
    session: requests.Session = _local.session
    return session
