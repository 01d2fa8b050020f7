"""The two Celery tasks. They carry names and times, never signals."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from celery import Celery

from worker.errors import QueueUnavailable, QueueUnusable
from worker.rings import DRAIN, WAKE, leave_no_files

log = logging.getLogger(__name__)


def register(app: Celery, *, drain: Callable[[Sequence[str]], None], wake: Callable[[int], None]) -> None:
    """Have ``app`` take rings with ``drain`` and countdowns with ``wake``."""

    def on_ring(lanes: list[str]) -> None:
        drain(lanes)

    def on_countdown(slot_ms: int) -> None:
        try:
            wake(slot_ms)
        except (QueueUnavailable, QueueUnusable) as error:
            log.warning("wake-up missed, the sweep will repeat it", extra={"error": str(error)})

    leave_no_files()
    app.task(on_ring, name=DRAIN)
    app.task(on_countdown, name=WAKE)
