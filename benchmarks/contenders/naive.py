"""A Celery task that does the job; threads pool, acknowledged late so that a crash loses little."""

from __future__ import annotations

from typing import Any

from celery import Celery

from benchmarks.contenders import job

app = Celery("naive", broker=job.REDIS_URL)
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=4, task_acks_late=True)


@app.task(name="naive.post")  # type: ignore[untyped-decorator]
def post(message: dict[str, Any]) -> None:
    job.do(message)
