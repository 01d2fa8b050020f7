"""Looks whether everything around a worker is fit for money: server, clock, endpoint."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import redis

from worker.errors import QueueUnusable, SignalsError
from worker.lanes.redis import connect, masked, translated
from worker.settings import LIVE_ENDPOINT, Settings

OLDEST_SERVER = (6, 2)
CLOCK_TOLERANCE = 2.0
"""Seconds between this machine's clock and Redis' from which countdowns are noticeably off."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. ``bad`` forbids work, ``warn`` should be known."""

    level: Literal["ok", "warn", "bad"]
    subject: str
    text: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Everything there is to say, thing by thing; never raises for what it finds."""
    yield Finding("ok", "settings", f"prefix {settings.prefix!r}, {settings.threads} threads")
    try:
        yield from _examine_server(settings)
    except SignalsError as error:
        yield Finding("bad", "redis", f"{masked(settings.redis_url)}: {error}")
    yield from _examine_endpoint(settings)


def require_safe_server(client: redis.Redis) -> None:
    """Raise QueueUnusable if orders could get lost on this server, QueueUnavailable if it is not there."""
    with translated():
        info = client.info()
    for finding in _examine_info(info):
        if finding.level == "bad":
            raise QueueUnusable(finding.text)


def _examine_server(settings: Settings) -> Iterator[Finding]:
    client = connect(settings.redis_url, timeout=settings.redis_timeout)
    with translated():
        started = time.time()
        seconds, micros = client.time()
        info = client.info()
    yield Finding("ok", "redis", f"{masked(settings.redis_url)} answers")
    yield from _examine_info(info)
    skew = seconds + micros / 1e6 - started
    level: Literal["ok", "warn"] = "warn" if abs(skew) > CLOCK_TOLERANCE else "ok"
    yield Finding(level, "clock", f"{skew:+.3f} s between Redis and this machine")
    with translated():
        client.eval("return redis.call('TIME')", 0)
    yield Finding("ok", "scripts", "may be run")


def _examine_info(info: dict[str, Any]) -> Iterator[Finding]:
    version = str(info.get("valkey_version") or info.get("redis_version", "0"))
    old = tuple(int(part) for part in version.split(".")[:2]) < OLDEST_SERVER
    wanted = ".".join(map(str, OLDEST_SERVER))
    yield Finding("bad" if old else "ok", "version", f"{version}{f', but {wanted} is needed' if old else ''}")
    policy = info.get("maxmemory_policy", "unknown")
    if policy == "noeviction":
        yield Finding("ok", "eviction", "never evicts")
    else:
        yield Finding(
            "bad",
            "eviction",
            f"Redis may evict signals (maxmemory-policy {policy}): set maxmemory-policy noeviction",
        )
    if info.get("aof_enabled"):
        yield Finding("ok", "durability", "append-only file is on")
    else:
        yield Finding("warn", "durability", "appendonly is off: a restart of Redis loses accepted signals")
    if info.get("role") not in ("master", None):
        yield Finding("bad", "role", "this server is a replica: connect to the primary")


def _examine_endpoint(settings: Settings) -> Iterator[Finding]:
    parts = urlsplit(settings.endpoint_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    name = f"{parts.scheme}://{parts.hostname}:{port}{parts.path}"
    try:
        socket.create_connection((parts.hostname or "", port), timeout=settings.connect_timeout).close()
    except OSError as error:
        yield Finding("bad", "endpoint", f"{name} cannot be reached: {error}")
        return
    yield Finding("ok", "endpoint", f"{name} can be reached (nothing was posted)")
    if settings.endpoint_url == LIVE_ENDPOINT:
        yield Finding("warn", "endpoint", "this is the live endpoint: signals become orders")
