"""Parts of the Celery worker's life: posting starts before it consumes and ends after it has stopped to.

Celery starts steps in order of what they require and stops them in reverse; consuming comes last.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import Any

from celery import Celery, bootsteps

from worker import crash
from worker.belfry import Belfry
from worker.dispatch import Dispatcher
from worker.errors import LedgerNewer, SignalsError
from worker.wake import Waker

log = logging.getLogger(__name__)


def install(
    app: Celery,
    *,
    dispatcher: Dispatcher,
    belfry: Belfry,
    waker: Waker,
    sweep_interval: float,
    stop_timeout: float,
) -> None:
    """Add posting and sweeping to ``app``'s worker. Durations in seconds."""

    class Posting(bootsteps.StartStopStep):  # type: ignore[misc]
        requires = {"celery.worker.components:Pool"}  # noqa: RUF012 - Celery reads it from the class

        def start(self, parent: Any) -> None:  # noqa: ARG002
            # Celery has just made Ctrl-C a failure, and a second one cut off what is in flight.
            signal.signal(signal.SIGINT, signal.getsignal(signal.SIGTERM))
            belfry.start()
            dispatcher.start()

        def stop(self, parent: Any) -> None:  # noqa: ARG002
            log.info("stopping", extra={"in_flight": dispatcher.in_flight})
            if not dispatcher.stop(stop_timeout):
                log.error("stopped with POSTs still in flight; their fate will be judged unknown")
            crash.here("stopped")
            belfry.stop(timeout=3.0)

        terminate = stop

    class Sweeping(bootsteps.StartStopStep):  # type: ignore[misc]
        requires = {Posting}  # noqa: RUF012

        def start(self, parent: Any) -> None:  # noqa: ARG002
            self._sweeper = Sweeper(waker, sweep_interval)
            self._sweeper.start()

        def stop(self, parent: Any) -> None:  # noqa: ARG002
            self._sweeper.stop()

        terminate = stop

    app.steps["worker"].add(Posting)
    app.steps["worker"].add(Sweeping)


class Sweeper:
    """Sweeps by a clock and in a thread of its own.

    Not by Celery's timer: that one is emptied whenever the broker connection is lost, which is just when
    there is something to repair. And a slow Redis never holds up Celery's event loop.
    """

    def __init__(self, waker: Waker, interval: float) -> None:
        self._waker = waker
        self._interval = interval
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=5.0)

    def _run(self) -> None:
        while not self._stopping.wait(self._interval):
            try:
                self._waker.sweep(self._interval)
            except LedgerNewer as error:
                # What is in flight is ended, and lanes are given back; others do the rest.
                log.error("stopping: too old for this Redis", extra={"error": str(error)})  # noqa: TRY400
                os.kill(os.getpid(), signal.SIGTERM)
                return
            except SignalsError as error:
                log.warning("sweep failed, the next one follows", extra={"error": str(error)})
            except Exception:
                log.exception("sweep failed, the next one follows")
