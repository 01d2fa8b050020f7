"""Loads the Lua scripts and calls them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from typing import Any, Never, Self, cast

import redis
from redis.exceptions import NoPermissionError, NoScriptError, ReadOnlyError

from worker.clock import steady
from worker.errors import LedgerNewer
from worker.lanes import assembly
from worker.lanes.durability import MEMORY, Durability
from worker.lanes.early import Begun, Early
from worker.lanes.hearing import Hearing
from worker.lanes.redis import NotDurable, NotInTime, Persistence, RedisError, ResponseError

_DENIED = ("ACL failure in script", "The user executing the script can't")
"""How servers say that a command of a script is forbidden; redis-py takes it for a mistake in the script."""


_Arguments = tuple[bytes | str, ...]

Observe = Callable[[str, float, bool], None]
"""Told of each call to Redis: the script's name, seconds, and whether it was answered."""


@dataclass(frozen=True, slots=True)
class _Request:
    """What a call asks, however often it is repeated."""

    payload: bytes
    extra: tuple[str | bytes, ...]
    durability: Durability
    insist: bool
    format: int

    @classmethod
    def of(
        cls,
        arguments: dict[str, Any],
        extra: tuple[str | bytes, ...],
        durability: Durability,
        *,
        insist: bool,
    ) -> Self:
        text = json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))
        return cls(text.encode("utf-8", "surrogateescape"), extra, durability, insist, arguments["format"])


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
        self._name = name.partition("_")[0]  # `admit_one` is a way to admit
        self._observe = observe
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
        return persistence.run(partial(self._try, _Request.of(arguments, extra, durability, insist=insist)))

    def begin(
        self,
        arguments: dict[str, Any],
        persistence: Persistence,
        durability: Durability = MEMORY,
        *,
        insist: bool = False,
        extra: tuple[str | bytes, ...] = (),
    ) -> Begun[dict[str, Any]]:
        """As a call whose answer is wanted later: sent now, and repeated when that is asked for and was lost.

        Who waits for durability, or observes calls, has all of it done when the answer is asked for.
        """
        request = _Request.of(arguments, extra, durability, insist=insist)
        whole = partial(self._try, request)
        if durability.command is not None or self._observe is not None:
            return Begun(partial(persistence.run, whole), _nothing)
        first = self._early(request)
        tries: Iterator[Callable[[], dict[str, Any]]] = chain([first.answer], repeat(whole))

        def next_try() -> dict[str, Any]:
            return next(tries)()

        return Begun(partial(persistence.run, next_try), first.drop)

    def _try(self, request: _Request) -> dict[str, Any]:
        until = self._hearing.until()
        asked = steady()
        reply, durable = self._evaluate((request.payload, until, *request.extra), request.durability)
        answer = self._heard(reply, asked, request)
        if request.insist and not durable:
            raise NotDurable(request.durability.missing)
        return {**answer, "durable": durable}

    def _early(self, request: _Request) -> Begun[dict[str, Any]]:
        """A try that is sent now."""
        try:
            until = self._hearing.until()
            asked = steady()
            early = Early(
                self._client, "EVALSHA", self._sha, 0, self._prefix, request.payload, until, *request.extra
            )
        except RedisError as error:
            return Begun(partial(_fail, error), _nothing)

        def answer() -> dict[str, Any]:
            try:
                with self._understood():
                    reply = early.answer()
            except NoScriptError:
                return self._try(request)
            return {**self._heard(reply, asked, request), "durable": True}

        return Begun(answer, early.drop)

    def _heard(self, reply: bytes, asked: float, request: _Request) -> dict[str, Any]:
        # A record that is not UTF-8 must spoil itself only, not the whole answer.
        answer: dict[str, Any] = json.loads(reply.decode("utf-8", "surrogateescape"))
        self._hearing.note(asked, answer["now"])
        if answer.get("late"):
            raise NotInTime
        if newer := answer.get("newer"):
            raise LedgerNewer(newer, request.format)
        return answer

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
        with self._understood():
            try:
                return self._run("EVALSHA", self._sha, arguments, durability)
            except NoScriptError:
                return self._run("EVAL", self._text, arguments, durability)

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """Learns from errors what they mean for the next try."""
        try:
            yield
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


def _fail(error: RedisError) -> Never:
    raise error


def _nothing() -> None:
    """There is nothing under way."""
