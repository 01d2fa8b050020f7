"""Sends the Celery messages: rings (lanes have work) and wake-ups (something falls due).

They are hints. Redis holds the truth, so a message that is lost costs latency until the next sweep, and
one that comes twice finds nothing to do.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from celery import Celery
from kombu.entity import Exchange, Queue

from worker.lanes.keys import RING_QUEUE, WAKE_QUEUE

DRAIN = "signals.drain"
WAKE = "signals.wake"
LANES_PER_RING = 32

log = logging.getLogger(__name__)


def make_app(redis_url: str, prefix: str, *, horizon: float = 60.0) -> Celery:
    """A Celery app that can send and take our messages; the reasons stand beside the values."""
    # Without fixups: the one for Django would load all of Celery's worker into every producer.
    app = Celery("signals", broker=redis_url, set_as_current=False, fixups=[])
    app.conf.update(
        # Not declared: bindings are read by nobody, and writing them ends a worker while memory is full.
        task_queues=[
            Queue(name, Exchange(name), routing_key=name, no_declare=True)
            for name in (RING_QUEUE, WAKE_QUEUE)
        ],
        task_default_queue=RING_QUEUE,
        task_create_missing_queues=False,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        result_backend=None,
        task_publish_retry=True,
        # One repetition gets past a connection that died while idle; then the sweep takes over.
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0},
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            # Messages are hints: no need to emulate acknowledgements, which triple the round trips.
            "ack_emulation": False,
            "global_keyprefix": prefix,
            "socket_timeout": 5,  # a half-open connection would hang a worker for ever
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "health_check_interval": 5,
            "visibility_timeout": int(horizon) + 3600,
        },
    )
    return app


class CeleryBell:
    """Rings through Celery."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def ring(self, lanes: Sequence[str]) -> Sequence[str]:
        silent: list[str] = []
        for chunk in _chunks(lanes):
            if not self._send(DRAIN, [chunk], RING_QUEUE, None):
                silent += chunk
        return silent

    def wake(self, slots_ms: Sequence[int], now_ms: int) -> None:
        for slot in slots_ms:
            self._send(WAKE, [slot], WAKE_QUEUE, max(0.0, (slot - now_ms) / 1000))

    def _send(self, task: str, arguments: list[object], queue: str, countdown: float | None) -> bool:
        try:
            # Names only in the arguments; still, no copy of them for headers and logs.
            self._app.send_task(
                task, args=arguments, queue=queue, countdown=countdown, argsrepr="", kwargsrepr=""
            )
        except Exception as error:  # noqa: BLE001 - kombu raises anything, and a hint is worth no failure
            what = f"{type(error).__name__}: {error}"
            log.warning("ring lost, the sweep will repeat it", extra={"task": task, "error": what})
            return False
        return True


def _chunks(lanes: Sequence[str]) -> list[list[str]]:
    return [list(lanes[i : i + LANES_PER_RING]) for i in range(0, len(lanes), LANES_PER_RING)]
