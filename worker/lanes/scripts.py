"""Loads the Lua scripts and calls them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, cast

import redis
from redis.exceptions import NoPermissionError, NoScriptError, ReadOnlyError

from worker.clock import steady
from worker.errors import LedgerNewer
from worker.lanes import assembly
from worker.lanes.durability import MEMORY, Durability
from worker.lanes.hearing import Hearing
from worker.lanes.redis import NotDurable, NotInTime, Persistence, RedisError, ResponseError

_DENIED = ("ACL failure in script", "The user executing the script can't")
"""How servers say that a command of a script is forbidden; redis-py takes it for a mistake in the script."""


_Arguments = tuple[bytes | str, ...]

Observe = Callable[[str, float, bool], None]
"""Told of each call to Redis: the script's name, seconds, and whether it was answered."""


class Script:
    """One Lua script with the shared rules that it uses; arguments and answers are JSON."""

    def __init__(
        self,
        client: redis.Redis,
        hearing: Hearing,
        prefix: str,
        name: str,
        *,
        when_full: bool = False,
        observe: Observe | None = None,
    ) -> None:
        """``when_full``: run it even if Redis is at its memory limit, because it gives memory back."""
        flags = "#!lua flags=allow-oom\n" if when_full else "#!lua\n"
        self._text = flags + assembly.script(name)
        self._sha = hashlib.sha1(self._text.encode()).hexdigest()  # noqa: S324 - Redis names scripts so
        self._client = client
        self._hearing = hearing
        self._prefix = prefix
        self._name = name
        self._evaluate = self._ask if observe is None else self._observed(observe)

    def __call__(
        self,
        arguments: dict[str, Any],
        persistence: Persistence,
        durability: Durability = MEMORY,
        *,
        insist: bool = False,
        extra: tuple[str | bytes, ...] = (),
    ) -> dict[str, Any]:
        """Run it, repeating after a lost reply. ``extra``: arguments that are passed on as they are.

        The answer tells as ``durable`` whether what was written is as safe as ``durability`` demands; with
        ``insist`` it is asked again until it is.
        Raises QueueUnavailable or QueueUnusable; the script may then have run all the same. Not so with
        LedgerNewer.
        """
        payload = json.dumps(arguments, ensure_ascii=False, separators=(",", ":")).encode(
            "utf-8", "surrogateescape"
        )

        def call() -> dict[str, Any]:
            until = self._hearing.until()
            asked = steady()
            reply, durable = self._evaluate((payload, until, *extra), durability)
            # A record that is not UTF-8 must spoil itself only, not the whole answer.
            answer: dict[str, Any] = json.loads(reply.decode("utf-8", "surrogateescape"))
            self._hearing.note(asked, answer["now"])
            if answer.get("late"):
                raise NotInTime
            if newer := answer.get("newer"):
                raise LedgerNewer(newer, arguments["format"])
            if insist and not durable:
                raise NotDurable(durability.missing)
            return {**answer, "durable": durable}

        return persistence.run(call)

    def _observed(self, observe: Observe) -> Callable[[_Arguments, Durability], tuple[bytes, bool]]:
        def evaluate(arguments: _Arguments, durability: Durability) -> tuple[bytes, bool]:
            asked, answered = steady(), False
            try:
                reply = self._ask(arguments, durability)
                answered = True
                return reply
            finally:
                observe(self._name, steady() - asked, answered)

        return evaluate

    def _ask(self, arguments: _Arguments, durability: Durability) -> tuple[bytes, bool]:
        try:
            try:
                return self._run("EVALSHA", self._sha, arguments, durability)
            except NoScriptError:
                return self._run("EVAL", self._text, arguments, durability)
        except ReadOnlyError:
            # This was the primary once: the next try must look for the new one.
            self._client.connection_pool.disconnect(inuse_connections=False)
            raise
        except ResponseError as error:
            if any(words in str(error) for words in _DENIED):
                raise NoPermissionError(str(error)) from error
            raise

    def _run(
        self, command: str, script: str, arguments: _Arguments, durability: Durability
    ) -> tuple[bytes, bool]:
        call = (command, script, 0, self._prefix, *arguments)
        if durability.command is None:
            return cast(bytes, self._client.execute_command(*call)), True
        # One round trip; and only the connection that wrote knows what to wait for.
        pipeline = self._client.pipeline(transaction=False)
        pipeline.execute_command(*call)
        pipeline.execute_command(*durability.command)
        reply, waited = pipeline.execute(raise_on_error=False)  # raising, it would quote the payload
        if isinstance(reply, RedisError):
            raise reply
        return reply, durability.met(waited)
