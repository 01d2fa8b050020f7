"""A Dramatiq actor that does the job, over its Redis broker with its usual middleware."""

from __future__ import annotations

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.contenders import job

broker = RedisBroker(url=job.REDIS_URL, max_connections=job.CONNECTIONS)
dramatiq.set_broker(broker)
post = dramatiq.actor(actor_name="post", max_retries=0)(job.do)
