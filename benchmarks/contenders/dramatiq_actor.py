"""A Dramatiq actor that does the job, over its Redis broker with its usual middleware."""

from __future__ import annotations

from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.contenders import job

broker = RedisBroker(url=job.REDIS_URL)
dramatiq.set_broker(broker)


@dramatiq.actor(max_retries=0)
def post(message: dict[str, Any]) -> None:
    job.do(message)
