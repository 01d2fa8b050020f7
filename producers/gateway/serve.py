"""Runs the gateway under uvicorn."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from types import FrameType

import uvicorn

from producers.gateway.app import Gateway
from producers.gateway.protocol import limited
from producers.gateway.sources import proxies
from worker import crash
from worker.commands import collect_garbage_seldom
from worker.errors import SettingsError
from worker.health import HealthServer
from worker.logs import configure
from worker.settings import Settings

log = logging.getLogger("signals.gateway")

OTHER_FILES = 64
"""Files that are none of its connections: Redis, the log, those who read metrics."""
BACKLOG = 1024
"""Connections that the kernel holds until they are accepted."""


def serve(settings: Settings) -> None:
    """Answer requests until SIGTERM or Ctrl-C; what is in hand then is finished. Raises SettingsError."""
    crash.arm_from(os.environ)
    proxies(settings.gateway_proxies)
    gateway = Gateway(settings)
    configure(settings.log_level, settings.log_format)
    logging.getLogger("uvicorn.error").setLevel("WARNING")  # it tells of its start in more lines than we do
    connections = _room_for(settings.gateway_connections)
    if connections < settings.gateway_connections:
        log.warning(
            "fewer connections than SIGNALS_GATEWAY_CONNECTIONS: raise ulimit -n",
            extra={"connections": connections},
        )
    health = HealthServer(
        settings.metrics_host,
        settings.gateway_metrics_port,
        gateway.gauges.registry,
        live=gateway.live,
        ready=gateway.ready,
        setting="SIGNALS_GATEWAY_METRICS_PORT",
    )
    with _listen(settings.gateway_host, settings.gateway_port) as listener:
        host, port = listener.getsockname()[:2]
        log.info("gateway listens", extra={"address": f"{host}:{port}", "metrics_port": health.port})
        # uvicorn raises the signal that ended it again, once it has ended well.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _end)
        collect_garbage_seldom()
        health.start()
        uvicorn.Server(_config(settings, gateway, connections)).run(sockets=[listener])


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def _config(settings: Settings, gateway: Gateway, connections: int) -> uvicorn.Config:
    return uvicorn.Config(
        gateway.app,
        http=limited(
            timeout=settings.gateway_read_timeout,
            connections=connections,
            body_limit=settings.gateway_body_limit,
        ),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.gateway_proxies),
        forwarded_allow_ips=proxies(settings.gateway_proxies),
        timeout_keep_alive=max(1, round(settings.gateway_read_timeout)),
        timeout_graceful_shutdown=max(1, round(settings.gateway_deadline + 2)),
        backlog=BACKLOG,
    )


def _room_for(connections: int) -> int:
    """How many connections the system lets this process hold at most, after asking it for enough.

    Without a file to be had nothing works any more, Redis neither; and libuv would close what it cannot take
    without a word.
    """
    if sys.platform == "win32":
        return connections
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return max(1, most - OTHER_FILES)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # with :: IPv4 too, whatever the system's habit
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(
            f"SIGNALS_GATEWAY_PORT or --port: cannot listen on {host}:{port} ({reason}); set another, or 0"
        ) from None
    return listener
