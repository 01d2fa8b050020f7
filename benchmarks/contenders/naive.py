"""A Celery task as a good engineer would first write it: validate, claim, POST, record; threads pool.

It keeps no order, loses what a crash takes, and posts again what a redelivery brings; that is not measured.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import redis
import requests
from celery import Celery
from pydantic import BaseModel

app = Celery("naive", broker=os.environ.get("BENCH_REDIS_URL"))
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=4, task_acks_late=True)
_client = redis.Redis.from_url(os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1"))
_url = os.environ.get("BENCH_SINK_URL", "")
_local = threading.local()


class Order(BaseModel):
    connectorName: str  # noqa: N815 - the wire's own names
    connectorToken: str  # noqa: N815
    action: str
    fixed: str | None = None
    percent: str | None = None
    log: str | None = None
    clientOrderId: str  # noqa: N815


@app.task(name="naive.post")  # type: ignore[untyped-decorator]
def post(message: dict[str, Any]) -> None:
    order = Order.model_validate(message)
    key = f"naive:{order.connectorName}:{order.clientOrderId}"
    if not _client.set(key, "sending", nx=True, ex=86_400):
        return
    if not hasattr(_local, "session"):
        _local.session = requests.Session()
    response = _local.session.post(_url, json=order.model_dump(exclude_none=True), timeout=10)
    _client.set(key, "accepted" if response.text == "ok" else "failed", ex=86_400)
