"""RQ: one job at a time per worker. SimpleWorker, because a fork for each job costs many times the job."""

from __future__ import annotations

import redis
import rq

from benchmarks.contenders import job

BATCH = 500


def send(messages: list[dict[str, str]], redis_url: str) -> None:
    """Enqueue as its documentation advises for many jobs: prepared, and 500 to a call."""
    with redis.Redis.from_url(redis_url) as client:
        queue = rq.Queue("bench", connection=client)
        for start in range(0, len(messages), BATCH):
            queue.enqueue_many(
                [
                    rq.Queue.prepare_data(job.do, args=(message,), result_ttl=0)
                    for message in messages[start : start + BATCH]
                ]
            )
