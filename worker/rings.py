"""Sends the Celery messages: rings (lanes have work) and wake-ups (something falls due).

They are hints. Redis holds the truth, so a message that is lost costs latency until the next sweep, and
one that comes twice finds nothing to do.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from celery import Celery
from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from kombu.messaging import Producer
from kombu.transport import memory
from kombu.transport.virtual import base
from kombu.utils.json import dumps

from worker import crash
from worker.lanes.address import Address, parse
from worker.lanes.keys import LANES_PER_RING, RING_QUEUE, WAKE_QUEUE
from worker.lanes.redis import single_try

DRAIN = "signals.drain"
WAKE = "signals.wake"

log = logging.getLogger(__name__)


def make_app(redis_url: str, prefix: str, *, horizon: float = 60.0, timeout: float = 2.0) -> Celery:
    """A Celery app that can send and take our messages; the reasons stand beside the values.

    ``timeout``: seconds to connect to Redis and for each answer.
    Raises SettingsError for a URL that is none.
    """
    address = parse(redis_url)  # not by kombu, which reads other things out of it than redis-py does
    # Without fixups: the one for Django would load all of Celery's worker into every producer.
    app = Celery("signals", broker=_broker(address), set_as_current=False, fixups=[])
    app.amqp.Connection = _Connection
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
        # A server that is busy, full, read-only or refuses us for a while is no reason to exit.
        broker_channel_error_retry=True,
        broker_use_ssl=address.tls if address.tls is None else {"ssl_cert_reqs": "required", **address.tls},
        broker_transport_options={
            # Messages are hints: no need to emulate acknowledgements, which triple the round trips.
            "ack_emulation": False,
            "global_keyprefix": prefix,
            # Bodies as they are, not in base64: scripts write rings and read them.
            "body_encoding": None,
            "socket_timeout": timeout,  # a half-open connection would hang a worker for ever
            "socket_connect_timeout": timeout,
            "socket_keepalive": True,
            # Every 2 s it is looked whether a BRPOP is overdue by as much; they end after 1 s on the server.
            "health_check_interval": 2,
            "visibility_timeout": int(horizon) + 3600,
            **_sentinel_options(address, timeout),
        },
    )
    return app


def _broker(address: Address) -> str:
    """The address as kombu wants it: each sentinel with everything in its URL, for it forgets the rest."""
    scheme = "sentinel" if address.master else "redis"
    login = ":".join(quote(address.login.get(name, ""), safe="") for name in ("username", "password"))
    at = f"{login}@" if address.login else ""
    return ";".join(
        f"{scheme}://{at}{f'[{host}]' if ':' in host else host}:{port}/{address.db}"
        for host, port in address.hosts
    )


def _sentinel_options(address: Address, timeout: float) -> dict[str, object]:
    if not address.master:
        return {}
    tls = {} if address.tls is None else {"ssl": True, **address.tls}
    return {
        "master_name": address.master,
        "sentinel_kwargs": {**address.sentinel_login, **tls, **single_try(timeout)},
    }


class _Connection(Connection):
    """Looks for a lost broker every 2 s; kombu would let its pauses grow to 30 s."""

    def ensure_connection(self, *arguments: Any, **named: Any) -> Any:
        pauses = {"interval_start": 1, "interval_step": 1, "interval_max": 2}
        return super().ensure_connection(*arguments, **{**named, **pauses})  # type: ignore[no-untyped-call]


def leave_no_files() -> None:
    """Keep kombu from writing the rings in hand to a file at every outage; they are hints.

    For all of the process, so only for one of our own: a producer is a guest in somebody else's.
    """
    setattr(base, "emergency_dump_state", lambda *_, **__: None)  # noqa: B010 - kombu does not know that it may be


class _PaperChannel(memory.Channel):
    """Keeps the message that it is given to send."""

    def _put(self, queue: str, message: dict[str, Any], **_: object) -> None:  # noqa: ARG002
        self.written = message


class _PaperTransport(memory.Transport):
    Channel = _PaperChannel


class CeleryBell:
    """Rings through Celery."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._message: str | None = None

    def message(self) -> str:
        """A ring for the queue's scripts to send (``worker/lanes/lua/rare/bell.lua``).

        What Celery and kombu themselves would write, with ``<lanes>`` in place of the names, as they stand in
        the body, and ``<number>`` at the end of each id.
        """
        if self._message is None:
            self._message = self._written()
        return self._message

    def ring(self, lanes: Sequence[str]) -> Sequence[str]:
        silent: list[str] = []
        for chunk in _chunks(lanes):
            crash.here("ringing")
            if not self._send(DRAIN, [chunk], RING_QUEUE, None):
                silent += chunk
        return silent

    def wake(self, slots_ms: Sequence[int], now_ms: int) -> None:
        for slot in slots_ms:
            crash.here("arming")
            self._send(WAKE, [slot], WAKE_QUEUE, max(0.0, (slot - now_ms) / 1000))

    def _written(self) -> str:
        name, tag = (f"{str(uuid.uuid4())[:24]}<number>" for _ in range(2))
        options = self._app.conf.broker_transport_options
        with Connection(transport=_PaperTransport, transport_options=options) as paper:
            channel = paper.channel()
            self._app.send_task(
                DRAIN,
                args=["<lanes>"],
                queue=RING_QUEUE,
                task_id=name,
                argsrepr="",
                kwargsrepr="",
                producer=Producer(channel, auto_declare=False),
            )
            message = channel.written
        message["properties"]["delivery_tag"] = tag
        text: str = dumps(message)
        return text.replace(r"\"<lanes>\"", "<lanes>")

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
