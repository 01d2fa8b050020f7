"""Takes SIGNALS_REDIS_URL apart: one server, or the sentinels that know which server is the primary.

    redis://[user:password@]host[:6379][/db]              rediss:// the same over TLS
    sentinel://[user:password@]host1[:26379],host2…/name[/db]       sentinels:// the same over TLS

Options after a ``?``: ``db``, ``username``, ``password``, the ``ssl_…`` ones of redis-py, and for sentinels
``sentinel_username``, ``sentinel_password``. User and password are the server's, not the sentinels'.
A broker URL of Celery will do, too, but for its lists: those of sentinels lack the name of the primary.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from redis.connection import parse_url

from worker.errors import SettingsError

_PORTS = {"redis": 6379, "rediss": 6379, "sentinel": 26379, "sentinels": 26379}
_LOGIN = {"db", "username", "password"}
_TLS = {
    "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_password", "ssl_cert_reqs",
    "ssl_check_hostname",
}  # fmt: skip
_ENCRYPTED = {"rediss", "sentinels"}
_CERTIFICATES = ("required", "optional", "none")
_SENTINEL = {"sentinel_username", "sentinel_password"}
_SENTINELS = "sentinel://host1:26379,host2:26379/<name of the primary>"
_LIST = re.compile(r";\s*\w+://")
"""How Celery tells hosts apart."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where Redis is and how to get in."""

    hosts: tuple[tuple[str, int], ...]
    """The server, or the sentinels if there is a ``master``."""
    master: str | None
    """What the sentinels call the primary."""
    db: int
    login: Mapping[str, Any] = field(repr=False)
    """``username`` and ``password`` of the server, as far as they are given."""
    sentinel_login: Mapping[str, Any] = field(repr=False)
    tls: Mapping[str, Any] | None = field(repr=False)
    """The ``ssl_…`` options, for servers and sentinels; None without TLS."""


def parse(url: str) -> Address:
    """Raises SettingsError, which repeats nothing of the URL that could be a password."""
    scheme, _, rest = url.partition("://")
    if scheme == "memory":
        raise SettingsError("SIGNALS_REDIS_URL: memory:// is for tests of code that sends: this needs Redis")
    if scheme not in _PORTS:
        wanted = "redis://, rediss://, sentinel:// or sentinels://"
        raise SettingsError(f"SIGNALS_REDIS_URL: must start with {wanted}")
    if _LIST.search(rest):
        raise SettingsError(f"SIGNALS_REDIS_URL: a list for Celery; sentinels are written {_SENTINELS}")
    place, _, query = rest.partition("?")
    place, _, path = place.partition("/")
    user, at, hosts = place.rpartition("@")
    path = path.rstrip("/")  # Celery's own examples end in //
    master, _, db = path.partition("/") if scheme.startswith("sentinel") else ("", "", path)
    try:
        found = tuple(_host(one, _PORTS[scheme]) for one in hosts.split(","))
        options = parse_url(f"redis://{user}{at}host/{db}?{query}")
        number = int(db or options.get("db", 0))
    except ValueError:
        # The reason is not repeated: it can quote part of a password.
        raise SettingsError(
            "SIGNALS_REDIS_URL: not a valid address; a password with special characters must be URL-encoded"
        ) from None
    _check(scheme, found, master, options)
    return Address(
        hosts=found,
        master=master or None,
        db=number,
        login={name: options[name] for name in ("username", "password") if name in options},
        sentinel_login={
            name.removeprefix("sentinel_"): options[name] for name in _SENTINEL if name in options
        },
        tls=_tls(options) if scheme in _ENCRYPTED else None,
    )


def _host(text: str, default_port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    return parts.hostname or "", parts.port or default_port


def _tls(options: Mapping[str, Any]) -> dict[str, Any]:
    tls = {name: options[name] for name in _TLS if name in options}
    if "ssl_cert_reqs" in tls:
        verify = tls["ssl_cert_reqs"].removeprefix("CERT_").lower()  # Celery's spelling is CERT_REQUIRED
        if verify not in _CERTIFICATES:
            raise SettingsError("SIGNALS_REDIS_URL: ssl_cert_reqs must be required, optional or none")
        tls["ssl_cert_reqs"] = verify
    return tls


def _check(scheme: str, hosts: tuple[tuple[str, int], ...], master: str, options: Mapping[str, Any]) -> None:
    sentinels, tls = scheme.startswith("sentinel"), scheme in _ENCRYPTED
    if not all(host for host, _ in hosts):
        raise SettingsError("SIGNALS_REDIS_URL: a host name is missing")
    if sentinels and (not master or master.isdigit()):
        raise SettingsError("SIGNALS_REDIS_URL: the name of the primary is missing: " + _SENTINELS)
    if not sentinels and len(hosts) > 1:
        raise SettingsError("SIGNALS_REDIS_URL: several hosts are for sentinel:// only")
    known = {"host"} | _LOGIN | (_TLS if tls else set()) | (_SENTINEL if sentinels else set())
    for name in options:
        if name in known:
            continue
        if name in _TLS:
            raise SettingsError(f"SIGNALS_REDIS_URL: {name} is for {scheme}s:// (TLS)")
        raise SettingsError(f"SIGNALS_REDIS_URL: there is no option {name[:40]!r} after the ?")
