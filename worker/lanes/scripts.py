"""Loads the Lua scripts and calls them."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from typing import Any, cast

import redis
from redis.exceptions import NoScriptError

from worker.lanes.redis import Persistence


class Script:
    """One Lua script with the shared rules in front of it; arguments and answers are JSON."""

    def __init__(self, client: redis.Redis, prefix: str, name: str, *, when_full: bool = False) -> None:
        """``when_full``: run it even if Redis is at its memory limit, because it gives memory back."""
        folder = files("worker.lanes") / "lua"
        flags = "#!lua flags=allow-oom\n" if when_full else "#!lua\n"
        parts = ("common.lua", "brakes.lua", "lanes.lua", f"{name}.lua")
        self._text = flags + "".join((folder / part).read_text("utf-8") for part in parts)
        self._sha = hashlib.sha1(self._text.encode()).hexdigest()  # noqa: S324 - Redis names scripts so
        self._client = client
        self._prefix = prefix

    def __call__(self, arguments: dict[str, Any], persistence: Persistence) -> dict[str, Any]:
        """Run it, repeating after a lost reply.

        Raises QueueUnavailable or QueueUnusable; the script may then have run all the same.
        """
        payload = json.dumps(arguments, ensure_ascii=False, separators=(",", ":")).encode(
            "utf-8", "surrogateescape"
        )
        reply = persistence.run(lambda: self._evaluate(payload))
        # A record that is not UTF-8 must spoil itself only, not the whole answer.
        answer: dict[str, Any] = json.loads(reply.decode("utf-8", "surrogateescape"))
        return answer

    def _evaluate(self, payload: bytes) -> bytes:
        try:
            reply = self._client.evalsha(self._sha, 0, self._prefix, payload)
        except NoScriptError:
            reply = self._client.eval(self._text, 0, self._prefix, payload)
        return cast(bytes, reply)
