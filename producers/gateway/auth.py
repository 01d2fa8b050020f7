"""Whose request to ``/v1`` this is."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from producers.gateway.headers import Headers
from producers.gateway.keys import ApiKey, ApiKeys, now
from producers.gateway.problems import UNAUTHORIZED, Problem

TOLERANCE = 300.0
"""Seconds that the clock of a sender who signs may be wrong."""
_SIGNATURE = re.compile(r"t=(\d{1,12}),\s*v1=([0-9a-fA-F]{64})").fullmatch


class Doorman:
    """Knows the API keys. Without a file of keys nobody is let in."""

    def __init__(self, keys: Callable[[], ApiKeys] | None, *, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._clock = clock

    def admit(self, headers: Headers) -> ApiKey:
        """The key of a request. Raises Problem 401, the same for a missing, a wrong and an expired one."""
        scheme, _, given = headers.get("authorization").partition(" ")
        key = self._keys().find(given.strip()) if self._keys and scheme.lower() == "bearer" else None
        if key is None or key.is_over(now()):
            raise Problem(401, "a valid API key is needed: Authorization: Bearer …", headers=UNAUTHORIZED)
        return key

    def check_signature(self, key: ApiKey, scope: Mapping[str, Any], headers: Headers, body: bytes) -> None:
        """Hold the request against its signature if the key demands one. Raises Problem 401."""
        if key.hmac_secret is None:
            return
        found = _SIGNATURE(headers.get("x-signature"))
        problem = "this key needs X-Signature: t=<unix time>,v1=<hex HMAC-SHA256, see docs/gateway.md>"
        if found is None or abs(self._clock() - int(found[1])) > TOLERANCE:
            raise Problem(401, f"{problem}, not older than {TOLERANCE / 60:g} minutes", headers=UNAUTHORIZED)
        name = headers.get("idempotency-key")
        right = signature(key.hmac_secret.get_secret_value(), found[1], target_of(scope), name, body)
        if not hmac.compare_digest(right, found[2].lower()):
            raise Problem(401, problem, headers=UNAUTHORIZED)


def target_of(scope: Mapping[str, Any]) -> bytes:
    """Method, path and query of a request, as they stand in its first line."""
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    return str(scope["method"]).encode() + b" " + bytes(scope["raw_path"]) + query


def signature(secret: str, at: str, target: bytes, idempotency_key: str, body: bytes) -> str:
    """What ``v1=`` must be. All of the request is signed, so that nobody can aim a captured one elsewhere."""
    signed = b"\n".join((at.encode(), target, idempotency_key.encode(), body))
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
