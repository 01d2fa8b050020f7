"""Puts a worker together."""

from __future__ import annotations

import logging
import os
import signal
import threading
import uuid
import warnings
from functools import partial
from importlib.metadata import version
from typing import Any

from celery import signals as celery_signals
from celery.apps import worker as celery_worker
from celery.exceptions import CPendingDeprecationWarning, SecurityWarning
from prometheus_client import CollectorRegistry

from worker import crash, steps, tasks
from worker.accounts import follow_accounts
from worker.belfry import Belfry
from worker.clock import steady
from worker.compose import Composer
from worker.delivery import Courier
from worker.dispatch import Dispatcher
from worker.doctor import require_safe_server
from worker.events import Observer, Observers
from worker.handling import Handler, Pace
from worker.health import HealthServer
from worker.lanes import Lanes
from worker.lanes.redis import connect
from worker.lanes.register import Register
from worker.lanes.scripts import Observe
from worker.logs import LogObserver, configure
from worker.metrics import LedgerCollector, Metrics, WatchedFiles, connector_metrics, new_registry
from worker.rings import CeleryBell, make_app
from worker.settings import Settings
from worker.traced import TracedHandler
from worker.tracing import open_tracing
from worker.vault import open_vault
from worker.wake import Waker
from worker.watchdog import Watchdog

log = logging.getLogger(__name__)

FLUSHED_WITHIN = 5.0
"""Seconds that spans have at the end to be sent."""
PROBE_TIMEOUT = 1.0
"""Seconds that a scrape or a probe waits for each answer of Redis."""


class Worker:
    """One worker process."""

    def __init__(self, settings: Settings) -> None:
        """Raises SettingsError or QueueUnusable if it must not start."""
        self._settings = settings
        client = connect(settings.redis_url, timeout=settings.redis_timeout)
        # Whoever scrapes or probes does not wait long.
        probing = connect(settings.redis_url, timeout=min(PROBE_TIMEOUT, settings.redis_timeout))
        require_safe_server(client, settings)
        registry = new_registry(_build())
        compose = _composer(settings, registry)
        app = make_app(
            settings.redis_url, settings.prefix, horizon=settings.horizon, timeout=settings.redis_timeout
        )
        bell = CeleryBell(app)
        self._belfry = Belfry(bell)
        metrics = Metrics(registry, in_flight=lambda: self.dispatcher.in_flight, threads=settings.threads)
        self._watchdog = Watchdog(settings.lease * 2)
        called = _both(metrics.called, self._watchdog.called)
        self._register = Register(probing, prefix=settings.prefix)
        registry.register(LedgerCollector(self._register.census))
        observer = Observers([metrics, *_per_connector(settings, registry), LogObserver()])
        lanes = Lanes(
            client,
            prefix=settings.prefix,
            timing=settings.timing(),
            brakes=settings.brakes(),
            patience=float("inf"),
            abandoned=self._abandoned,
            durability=settings.required_durability(),
            rate_of=compose.rate,
            observe=called,
            traced=settings.tracing,
        )
        stopping = threading.Event()
        self._tracing = open_tracing("signal-worker", settings.endpoint_url) if settings.tracing else None
        handler = (Handler if self._tracing is None else partial(TracedHandler, self._tracing))(
            poster=self._courier(),
            observer=observer,
            compose=compose,
            policy=compose.policy,
            pace=Pace(settings.lease, settings.quantum_signals, settings.quantum_seconds),
            stopping=stopping.is_set,
        )
        self.dispatcher = Dispatcher(
            lanes=lanes,
            bell=self._belfry,
            observer=observer,
            handler=handler,
            threads=settings.threads,
            stopping=stopping,
        )
        patient = Lanes(
            client,
            prefix=settings.prefix,
            timing=settings.timing(),
            patience=settings.redis_patience,
            worker=uuid.uuid4().hex[:12],
            observe=called,
        )
        waker = Waker(patient, bell, observer, take=self.dispatcher.drain)
        tasks.register(app, drain=self.dispatcher.drain, wake=waker.on_time)
        steps.install(
            app,
            dispatcher=self.dispatcher,
            belfry=self._belfry,
            waker=waker,
            sweep_interval=settings.sweep_interval,
            stop_timeout=settings.stop_timeout,
        )
        self.health = HealthServer(
            settings.metrics_host, settings.metrics_port, registry, live=self._live, ready=self._ready
        )
        self._app = app
        self._consuming = False
        self._told_to_stop_at: float | None = None

    def run(self) -> int:
        """Work until SIGTERM or SIGINT; returns the exit code."""
        settings = self._settings
        crash.arm_from(os.environ)
        configure(settings.log_level, settings.log_format)
        celery_signals.setup_logging.connect(_leave_logging_alone)
        celery_signals.worker_ready.connect(self._on_ready)
        celery_signals.task_received.connect(_on_received)
        celery_signals.worker_shutting_down.connect(self._on_shutdown)
        # Celery warns of root because of pickle, which we do not accept.
        warnings.filterwarnings("ignore", category=SecurityWarning)
        self.health.start()
        worker = self._app.Worker(
            pool="threads",
            concurrency=settings.takers,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            quiet=True,
        )
        worker.start()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # impatience makes no failure of a clean end
        self.health.stop()
        self._stop_tracing()
        code = int(worker.exitcode or 0)
        log.info("stopped", extra={"exit_code": code})
        return code

    def _courier(self) -> Courier:
        settings = self._settings
        return Courier(
            settings.endpoint_url,
            deadline=settings.deadline,
            connect_timeout=settings.connect_timeout,
            connections=settings.threads,
            max_idle=settings.idle_connection,
            response_limit=settings.response_limit,
            ca_file=settings.endpoint_ca_file,
            reading=settings.reading(),
        )

    def _abandoned(self) -> bool:
        return self.dispatcher.abandoned()

    def _on_ready(self, **_: Any) -> None:
        self._consuming = True
        # Celery warns at every lost connection, of late acknowledgements, which we do not use; it has just
        # asked for these warnings itself.
        warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
        log.info("ready", extra={"metrics_port": self.health.port, "threads": self._settings.threads})

    def _on_shutdown(self, **_: Any) -> None:
        self._consuming = False
        self._told_to_stop_at = steady()
        self.dispatcher.begin_stop()

    def _stop_tracing(self) -> None:
        """Within what is left of the stop timeout: spans are worth no shutdown that is cut short."""
        if self._tracing is not None:
            stopping_for = steady() - (self._told_to_stop_at or steady())
            left = self._settings.stop_timeout - stopping_for
            self._tracing.close(max(0.0, min(left, FLUSHED_WITHIN)))

    def _live(self) -> tuple[bool, str]:
        if self._consuming and not self.dispatcher.alive:
            return False, "a thread has died"
        wedged = self._watchdog.look(self.dispatcher.progress(), self._rings() if self._consuming else None)
        return wedged is None, wedged or "ok"

    def _rings(self) -> int | None:
        """Rings that wait for any worker; None if Redis does not say."""
        try:
            return self._register.ring_queue()
        except Exception:  # noqa: BLE001 - whatever it is, it is not this worker that is wedged
            return None

    def _ready(self) -> tuple[bool, str]:
        if not self._consuming:
            return False, "not consuming"
        try:
            server = self._register.server()
        except Exception as error:  # noqa: BLE001 - whatever it is, this worker is not ready
            return False, str(error)
        # Ready even if it is full: what workers finish makes room.
        return True, (server and server.refuses) or "ok"


def _both(one: Observe, other: Observe) -> Observe:
    def called(call: str, seconds: float, answered: bool) -> None:
        one(call, seconds, answered)
        other(call, seconds, answered)

    return called


def _on_received(**_: Any) -> None:
    crash.here("received")


def _build() -> dict[str, str]:
    return {
        "version": version("signal-dispatch"),
        "celery": version("celery"),
        "redis_py": version("redis"),
    }


def _per_connector(settings: Settings, registry: CollectorRegistry) -> list[Observer]:
    metrics = connector_metrics(settings.metrics_connectors)
    if metrics is None:
        return []
    registry.register(metrics)
    return [metrics]


def _composer(settings: Settings, registry: CollectorRegistry) -> Composer:
    accounts = follow_accounts(settings.accounts_file)
    vault = open_vault(settings.token_keys_file)
    registry.register(
        WatchedFiles({"accounts_file": accounts, "token_keys_file": None if vault is None else vault.keys})
    )
    return Composer(
        settings.rules(),
        settings.policy(),
        accounts=None if accounts is None else accounts.current,
        vault=vault,
        keep_delay=settings.platform_delays,
    )


def _say_nothing(*_: object) -> None:
    """Stands in for what Celery writes past all logging when it is told to stop; we log that ourselves."""


setattr(celery_worker, "safe_say", _say_nothing)  # noqa: B010 - Celery does not say that it may be set


def _leave_logging_alone(**_: Any) -> None:
    """A receiver of this signal is what keeps Celery from configuring logs itself."""
