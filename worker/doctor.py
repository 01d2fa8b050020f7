"""Looks whether everything around a worker is fit for money: server, clock, endpoint."""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import certifi
import redis
from redis.exceptions import NoPermissionError, RedisError

from worker import diagnosis
from worker.accounts import AccountsError, read_accounts
from worker.errors import LedgerNewer, QueueUnusable, SettingsError, SignalsError
from worker.lanes import Durability
from worker.lanes.foreign import number
from worker.lanes.keys import FORMAT
from worker.lanes.redis import connect, is_passing, masked, translated
from worker.settings import LIVE_ENDPOINT, Settings
from worker.vault import open_vault

log = logging.getLogger(__name__)

OLDEST_SERVER = (7, 0)
CLOCK_TOLERANCE = 2.0
"""Seconds between this machine's clock and Redis' from which countdowns are noticeably off."""
_FULL = 0.8
"""Share of Redis' memory limit from which it is worth telling: at the limit it refuses signals."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. ``bad`` forbids work, ``warn`` should be known."""

    level: Literal["ok", "warn", "bad"]
    subject: str
    text: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Everything there is to say, thing by thing; never raises for what it finds."""
    yield Finding("ok", "settings", f"prefix {settings.prefix!r}, {settings.threads} threads")
    if settings.accounts_file is not None:
        yield from examine_accounts(settings.accounts_file)
    yield from _examine_vault(settings)
    try:
        yield from _examine_server(settings)
    except (SettingsError, LedgerNewer) as error:
        yield Finding("bad", "redis", str(error))
    except Exception as error:  # noqa: BLE001 - whatever speaks there or not, this is the place to say so
        yield Finding("bad", "redis", f"{masked(settings.redis_url)}: {diagnosis.of_redis(error)}")
    yield from _examine_endpoint(settings)


def require_safe_server(client: redis.Redis, settings: Settings) -> None:
    """Raise QueueUnusable if orders could get lost on this server, QueueUnavailable if it is not there.

    What Redis can promise, but does not keep just now, is only logged: it may at any time while we work.
    """
    try:
        with translated():
            findings = list(_examine_info(client.info()))
            _require_scripts(client)
            _require_format(client, settings.prefix)
            promise = _examine_promise(client.pipeline(transaction=False), settings.required_durability())
    except LedgerNewer:
        raise
    except SignalsError as error:
        raise type(error)(f"{masked(settings.redis_url)}: {diagnosis.of_redis(error)}") from error
    for finding in (*findings, promise):
        if finding.level == "bad":
            raise QueueUnusable(finding.text)
    if promise.level == "warn":
        log.warning("nothing is posted until Redis keeps it", extra={"error": promise.text})


def _require_scripts(client: redis.Redis) -> None:
    """Raise RedisError if this user may not run scripts: who only reads must not look like a worker."""
    try:
        client.eval("#!lua flags=no-writes\nreturn 1", 0)
    except RedisError as error:
        if not is_passing(error):
            raise


def _require_format(client: redis.Redis, prefix: str) -> None:
    """Raise LedgerNewer if a newer release writes there; RedisError."""
    found = number(client.get(f"{prefix}format")) or FORMAT
    if found > FORMAT:
        raise LedgerNewer(found, FORMAT)


def _examine_server(settings: Settings) -> Iterator[Finding]:
    client = connect(settings.redis_url, timeout=settings.redis_timeout)
    with translated():
        client.time()  # connects, so that the next call measures the clock alone
        asked = time.time()
        seconds, micros = client.time()
        answered = time.time()
        info = client.info()
    yield Finding("ok", "redis", f"{masked(settings.redis_url)} answers")
    yield from _examine_info(info)
    yield _examine_clock(seconds + micros / 1e6, asked, answered)
    pipeline = client.pipeline(transaction=False)
    pipeline.eval("return redis.call('SET', KEYS[1], 1, 'PX', 1)", 1, f"{settings.prefix}check")
    with translated():
        _require_format(client, settings.prefix)
        promise = _examine_promise(pipeline, settings.required_durability())
    yield Finding("ok", "scripts", f"may be run, and may write keys {settings.prefix}…")
    # Who asks wants to know what would stop the work now.
    yield replace(promise, level="bad") if promise.level == "warn" else promise


def _examine_promise(pipeline: Any, durability: Durability) -> Finding:
    """Whether what ``pipeline`` writes, if anything, becomes as durable as it must; raises RedisError."""
    kind, command = durability.kind, durability.command
    if command is not None:
        pipeline.execute_command(*command)
    answers = pipeline.execute(raise_on_error=False)
    waited = answers.pop() if command is not None else None
    for answer in answers:
        if isinstance(answer, RedisError):
            raise answer
    if isinstance(waited, NoPermissionError) or (isinstance(waited, RedisError) and is_passing(waited)):
        raise waited
    if command is None:
        return Finding("ok", "promise", "signals are as durable as Redis keeps them by itself")
    if durability.met(waited):
        return Finding("ok", "promise", f"SIGNALS_DURABILITY={kind} is kept")
    if isinstance(waited, RedisError):
        need = "Redis 7.2 or Valkey, with appendonly yes" if kind == "fsync" else "a primary"
        return Finding("bad", "promise", f"SIGNALS_DURABILITY={kind} needs {need} ({waited})")
    advice = "appendfsync must be always or everysec" if kind == "fsync" else "are they connected?"
    return Finding(
        "warn", "promise", f"SIGNALS_DURABILITY={kind}: a write was {durability.missing}: {advice}"
    )


def examine_accounts(path: str) -> Iterator[Finding]:
    """Everything that is wrong with an accounts file, or what it holds."""
    try:
        found, _ = read_accounts(Path(path))
    except AccountsError as error:
        for problem in error.problems:
            yield Finding("bad", "accounts", f"{path}: {problem}")
        return
    without = sum(account.token is None for account in found)
    yield Finding("ok", "accounts", f"{len(found):,} connectors in {len(found.groups):,} groups")
    if without:
        yield Finding("ok", "accounts", f"{without:,} of them without a token: their signals must bring it")


def _examine_vault(settings: Settings) -> Iterator[Finding]:
    try:
        if open_vault(settings.token_keys_file) is not None:
            yield Finding("ok", "tokens", "those of signals lie sealed in Redis")
    except SettingsError as error:
        yield Finding("bad", "tokens", str(error))


def _examine_clock(redis_time: float, asked: float, answered: float) -> Finding:
    skew = redis_time - (asked + answered) / 2
    # The answer may have been on its way for all of that time.
    off = max(0.0, abs(skew) - (answered - asked) / 2) > CLOCK_TOLERANCE
    advice = ": set one of the clocks (NTP), or delayed signals start late" if off else ""
    return Finding("warn" if off else "ok", "clock", f"{skew:+.3f} s between Redis and this machine{advice}")


def _examine_info(info: dict[str, Any]) -> Iterator[Finding]:
    version = str(info.get("valkey_version") or info.get("redis_version", "0"))
    old = tuple(int(part) for part in re.findall(r"\d{1,9}", version)[:2]) < OLDEST_SERVER
    wanted = ".".join(map(str, OLDEST_SERVER))
    yield Finding("bad" if old else "ok", "version", f"{version}{f', but {wanted} is needed' if old else ''}")
    policy = info.get("maxmemory_policy", "unknown")
    if policy == "noeviction":
        yield Finding("ok", "eviction", "never evicts")
    else:
        text = f"Redis may evict signals (maxmemory-policy {policy}): set maxmemory-policy noeviction"
        yield Finding("bad", "eviction", text)
    yield from _examine_durability(info)
    if info.get("role") not in ("master", None):
        yield Finding("bad", "role", "this server is a replica: connect to the primary")
    if info.get("cluster_enabled"):
        yield Finding("bad", "cluster", "Redis Cluster cannot run the scripts: use a single primary")


def _examine_durability(info: dict[str, Any]) -> Iterator[Finding]:
    used, limit = info.get("used_memory"), info.get("maxmemory")
    if isinstance(used, int) and isinstance(limit, int) and limit and used > limit * _FULL:
        text = f"{used / limit:.0%} of maxmemory are used: at 100% Redis refuses signals"
        yield Finding("warn", "memory", text)
    if not info.get("aof_enabled"):
        yield Finding("warn", "durability", "appendonly is off: a restart of Redis loses accepted signals")
    elif info.get("aof_last_write_status") == "err":
        yield Finding("bad", "durability", "Redis cannot write its append-only file: look at its disk")
    else:
        yield Finding("ok", "durability", "append-only file is on")


def _examine_endpoint(settings: Settings) -> Iterator[Finding]:
    try:
        parts = urlsplit(settings.endpoint_url)
        host, secure = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
    except ValueError as error:
        yield Finding("bad", "endpoint", f"SIGNALS_ENDPOINT_URL: {error}")
        return
    if parts.scheme not in ("http", "https") or not host:
        yield Finding("bad", "endpoint", "SIGNALS_ENDPOINT_URL: must be an http:// or https:// address")
        return
    name = f"{parts.scheme}://{host}:{port}{parts.path}"
    try:
        _reach(host, port, settings, secure=secure)
    except (OSError, UnicodeError) as error:
        yield Finding("bad", "endpoint", f"{name}: {diagnosis.of_endpoint(error)}")
        return
    yield Finding("ok", "endpoint", f"{name} can be reached (nothing was posted)")
    if not secure and not _is_loopback(host):
        yield Finding("warn", "endpoint", "http:// is not encrypted: anybody on the way can read the tokens")
    if settings.endpoint_url == LIVE_ENDPOINT:
        yield Finding("warn", "endpoint", "this is the live endpoint: signals become orders")


def _reach(host: str, port: int, settings: Settings, *, secure: bool) -> None:
    with socket.create_connection((host, port), timeout=settings.connect_timeout) as sock:
        if secure:
            # The certificates that requests trusts when a worker posts.
            trust = ssl.create_default_context(cafile=settings.endpoint_ca_file or certifi.where())
            trust.wrap_socket(sock, server_hostname=host).close()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
