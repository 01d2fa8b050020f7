"""The ledger for people: what waits where, how signals ended, where a signal is. Reads only.

Whatever lies in Redis, the methods raise QueueUnavailable (Redis does not answer) or QueueUnusable (it
refuses) and nothing else; a record that is broken is shown as far as it goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

import redis
from redis.exceptions import NoPermissionError

from worker.lanes import entries, foreign
from worker.lanes.keys import RING_QUEUE
from worker.lanes.redis import RedisError, translated
from worker.lanes.views import DeadLetter, LaneView, SignalView, Trace
from worker.records import Census, ServerState

_PAGE = 200
_LOOKED_AT = 100
_DEAD = "dead:"
_DEAD_EXITS = "exits:"
_REVISED = "revised:"


class Register:
    """What the keys under ``prefix`` say, for people."""

    def __init__(self, client: redis.Redis, *, prefix: str = "signals:") -> None:
        self._client = client
        self._prefix = prefix

    def now_ms(self) -> int:
        """The time of the Redis server, by which all times of the ledger count."""
        with translated():
            return _ms(self._client.time())

    def census(self) -> Census:
        """How many signals are where, and how the server is.

        One round trip and a fixed number of commands, none of which looks at more than ten members of what
        grows with the number of signals or lanes (pauses are read whole): it costs the same with a hundred
        thousand lanes as with one. While lanes are held back, one more for the first hundred of all lanes.
        What the server says of itself is missing if the user may not ask.
        """
        pipeline = self._pipeline()
        pipeline.time()
        for command, name in (
            (pipeline.zcard, "lanes"), (pipeline.hlen, "leases"), (pipeline.zcard, "halted"),
            (pipeline.zcard, "rung"), (pipeline.llen, RING_QUEUE), (pipeline.zcard, "dead"),
            (pipeline.hgetall, "counts"), (pipeline.hgetall, "totals"), (pipeline.hgetall, "pauses"),
            (pipeline.zcard, "wakeups"), (pipeline.zcard, "circuits"), (pipeline.zcard, "workers"),
        ):  # fmt: skip
            command(self._key(name))
        for name in ("lanes", "calendar", "rung", "wakeups", "unknown"):
            pipeline.zrange(self._key(name), 0, 0, withscores=True)
        pipeline.zrange(self._key("workers"), -1, -1, withscores=True)
        pipeline.zrange(self._key("circuits"), 0, 9, withscores=True)
        pipeline.info("memory", "persistence")
        (
            now, lanes, leased, halted, rung, queue, letters, counts, totals, pauses, wakeups, circuits_open,
            workers, *firsts, last_worker, circuits, info
        ) = _answers(pipeline, optional=1)  # fmt: skip
        oldest_due, next_delayed, oldest_rung, next_wakeup, oldest_unknown = (
            foreign.number(first[0][1]) if first else None for first in firsts
        )
        counted, ever = foreign.counts(counts), foreign.counts(totals)
        return Census(
            lanes=lanes,
            waiting=counted.get("waiting", 0),
            delayed=counted.get("delayed", 0),
            leased=leased,
            halted=halted,
            rung=rung,
            ring_queue=queue,
            oldest_due_ms=oldest_due,
            oldest_free_due_ms=self._oldest_free_due() if halted else oldest_due,
            next_delayed_ms=next_delayed,
            now_ms=_ms(now),
            dead=_by_reason(counted, letters),
            dead_exits=_named(counted, _DEAD_EXITS),
            oldest_unknown_ms=oldest_unknown,
            parked=max(0, wakeups - leased),
            # Sweeps clear away who has fallen silent; if nobody sweeps, the last one has too.
            workers=workers if last_worker and last_worker[0][1] > _ms(now) else 0,
            server=_server(info),
            totals={name: count for name, count in ever.items() if not name.startswith(_REVISED)},
            revised=_named(ever, _REVISED),
            oldest_rung_ms=oldest_rung,
            next_wakeup_ms=next_wakeup,
            pauses={
                foreign.text(scope): tuple(foreign.text(why).split("\n")) for scope, why in pauses.items()
            },
            circuits={foreign.text(name): foreign.number(at) or 0 for name, at in circuits},
            circuits_open=circuits_open,
        )

    def _oldest_free_due(self) -> int | None:
        """Since when the first is due that nothing holds, of the hundred lanes that have waited longest."""
        with translated():
            first: Any = self._client.zrange(self._key("lanes"), 0, _LOOKED_AT - 1, withscores=True)
        pipeline = self._pipeline()
        for lane, _ in first:
            pipeline.zscore(self._key("halted"), lane)
        held = _answers(pipeline) if first else []
        return next(
            (foreign.number(due) for (_, due), at in zip(first, held, strict=True) if at is None), None
        )

    def ring_queue(self) -> int:
        """Rings that no worker has received."""
        with translated():
            return int(self._client.llen(self._key(RING_QUEUE)))

    def server(self) -> ServerState | None:
        """How the server is; None if it answers, but the user may not ask."""
        pipeline = self._pipeline()
        pipeline.ping()
        pipeline.info("memory", "persistence")
        _, info = _answers(pipeline, optional=1)
        return _server(info)

    def lanes(self, limit: int) -> list[LaneView]:
        """The lanes whose heads are due the longest; two round trips."""
        if limit < 1:
            return []
        with translated():
            found: Any = self._client.zrange(self._key("lanes"), 0, limit - 1, withscores=True)
        pipeline = self._pipeline()
        for lane, _ in found:
            self._ask_of_lane(pipeline, lane)
        facts = _answers(pipeline, tolerant=True)
        parts = [facts[i : i + 7] for i in range(0, len(facts), 7)]
        heads = self._signals([head or b"" for head, *_ in parts])
        return [
            entries.lane(lane, due, part, head)
            for (lane, due), part, head in zip(found, parts, heads, strict=True)
        ]

    def lane(self, connector: str) -> LaneView | None:
        """What waits of one connector, due or delayed; None if nothing does. Two round trips."""
        name = _bytes(connector)
        pipeline = self._pipeline()
        pipeline.zscore(self._key("lanes"), name)
        self._ask_of_lane(pipeline, name)
        due, *facts = _answers(pipeline, tolerant=True)
        if not facts[0] and not facts[2]:
            return None
        if not facts[0]:
            return replace(entries.lane(name, 0.0, facts, None), state="delayed", due_ms=None)
        return entries.lane(name, due or 0.0, facts, self._signals([facts[0]])[0])

    def waits(self, connector: str) -> bool:
        """Whether any signal of this connector waits, due or delayed."""
        name = _bytes(connector)
        with translated():
            return bool(self._client.exists(self._key(b"lane:", name), self._key(b"later:", name)))

    def find(self, signal_id: str) -> SignalView | None:
        """Where a signal is or how it ended; None if it never was, or ended too long ago."""
        return self._signals([_bytes(signal_id)])[0]

    def trace(self, signal_id: str) -> Trace | None:
        """What ``find`` tells, and what was tried."""
        raw_id = _bytes(signal_id)
        pipeline = self._pipeline()
        pipeline.hmget(self._key(b"signal:", raw_id), entries.FIELDS)
        pipeline.hget(self._key(b"signal:", raw_id), "history")
        values, history = _answers(pipeline, tolerant=True)
        signal = entries.signal(raw_id, values)
        return None if signal is None else Trace(signal, entries.history(history))

    def holder(self, kind: Literal["order", "key"], connector: str, name: str) -> str | None:
        """Id of the signal that holds this clientOrderId or idempotency key of a connector now.

        None if none does: never used, its window over, released, or freed because no order was placed.
        """
        lane = _bytes(connector)
        pipeline = self._pipeline()
        pipeline.get(self._key(f"claim:{kind}:{len(lane)}:", lane + b":" + _bytes(name)))
        (claim,) = _answers(pipeline, tolerant=True)
        return None if claim is None else bytes(claim).split(b" ")[0].decode("utf-8", "surrogateescape")

    def dead(
        self,
        limit: int,
        *,
        connector: str | None = None,
        reason: str | None = None,
        after_ms: int | None = None,
        before_ms: int | None = None,
        exits: bool = False,
    ) -> Iterator[SignalView]:
        """Dead letters, newest first; lazily, a page per round trip.

        ``after_ms``, ``before_ms``: bounds of the time they died. ``exits``: only what is no entry. A filter
        that matches few reads all there are.
        """
        left = limit
        for page in self._dead_ids(after_ms, before_ms):
            for signal_id, signal in zip(page, self._signals(page), strict=True):
                if left < 1:
                    return
                letter = signal or entries.gone(signal_id)
                wanted = connector in (None, letter.connector) and reason in (None, letter.outcome)
                if wanted and not (exits and letter.action_class == "entry"):
                    left -= 1
                    yield letter

    def dead_letter(self, signal_id: str) -> DeadLetter | None:
        """All about one dead letter; None if there is none of this id."""
        raw_id = _bytes(signal_id)
        pipeline = self._pipeline()
        pipeline.zscore(self._key("dead"), raw_id)
        pipeline.get(self._key(b"body:", raw_id))
        died, body = _answers(pipeline, tolerant=True)
        if died is None:
            return None
        known = self.trace(signal_id) or Trace(entries.gone(raw_id), ())
        return DeadLetter(
            signal=known.signal,
            history=known.history,
            body=foreign.body(body),
            body_bytes=None if body is None else len(body),
        )

    def _dead_ids(self, after_ms: int | None, before_ms: int | None) -> Iterator[list[bytes]]:
        # By time, not by rank: letters come and go between two pages, and ranks shift with them.
        low, high = ("-inf" if after_ms is None else after_ms), ("+inf" if before_ms is None else before_ms)
        told: set[bytes] = set()
        while True:
            with translated():
                found: Any = self._client.zrevrangebyscore(
                    self._key("dead"), high, low, start=0, num=_PAGE + len(told), withscores=True
                )
            fresh = [member for member, _ in found if member not in told]
            if not fresh:
                return
            yield fresh
            high = found[-1][1]
            told = {member for member, score in found if score == high}

    def _signals(self, ids: list[bytes]) -> list[SignalView | None]:
        pipeline = self._pipeline()
        for signal_id in ids:
            pipeline.hmget(self._key(b"signal:", signal_id), entries.FIELDS)
        answers = _answers(pipeline, tolerant=True)
        return [entries.signal(signal_id, values) for signal_id, values in zip(ids, answers, strict=True)]

    def _ask_of_lane(self, pipeline: Any, lane: bytes) -> None:
        """Add what ``entries.lane`` takes as facts."""
        pipeline.lindex(self._key(b"lane:", lane), 0)
        pipeline.llen(self._key(b"lane:", lane))
        pipeline.zcard(self._key(b"later:", lane))
        pipeline.hexists(self._key("leases"), lane)
        pipeline.zscore(self._key("rung"), lane)
        pipeline.zscore(self._key("wakeups"), lane)
        pipeline.zscore(self._key("halted"), lane)

    def _pipeline(self) -> Any:
        return self._client.pipeline(transaction=False)

    def _key(self, kind: str | bytes, name: bytes = b"") -> bytes:
        return self._prefix.encode() + (kind.encode() if isinstance(kind, str) else kind) + name


def _answers(pipeline: Any, *, tolerant: bool = False, optional: int = 0) -> list[Any]:
    """``tolerant``: a key of the wrong type reads as missing. Never a refusal: what may not be read must
    not look like nothing. ``optional``: so many of the last commands may be refused, and give None then."""
    with translated():
        answers: list[Any] = pipeline.execute(raise_on_error=False)
        for place, answer in enumerate(answers):
            if isinstance(answer, RedisError):
                denied = isinstance(answer, NoPermissionError) and place >= len(answers) - optional
                if not (denied or (tolerant and "WRONGTYPE" in str(answer))):
                    raise answer
                answers[place] = None
    return answers


def _ms(clock: tuple[int, int]) -> int:
    return clock[0] * 1000 + clock[1] // 1000


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _by_reason(counts: Mapping[str, int], letters: int) -> dict[str, int]:
    """Dead letters by reason; those that no counter knows of must not go unseen."""
    named = _named(counts, _DEAD)
    uncounted = letters - sum(named.values())
    return {**named, "uncounted": uncounted} if uncounted > 0 else named


def _named(counts: Mapping[str, int], kind: str) -> dict[str, int]:
    found = {name.removeprefix(kind): count for name, count in counts.items() if name.startswith(kind)}
    return {name: count for name, count in found.items() if count > 0}


def _server(info: Mapping[str, Any] | None) -> ServerState | None:
    if info is None:
        return None
    return ServerState(
        memory=foreign.number(info.get("used_memory")) or 0,
        memory_limit=foreign.number(info.get("maxmemory")) or 0,
        evicting=info.get("maxmemory_policy", "noeviction") != "noeviction",
        append_only=bool(info.get("aof_enabled")),
        disk_failing=info.get("aof_last_write_status") == "err",
    )
