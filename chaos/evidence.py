"""Gathers what everybody says into one history: journals of the senders, receipts, the ledger, logs.

The ledger is read straight from Redis, past the project's own reading code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import redis

from chaos.history import (
    Arrival,
    Books,
    Deed,
    Drop,
    Ending,
    Exit,
    History,
    Limits,
    Pause,
    Record,
    Sent,
    key_claim,
    order_claim,
)
from chaos.sender import read_journal
from chaos.traffic import TOKEN_MARK, Item, token_of, traffic
from worker.paper.receipts import Receipt

_PAGE = 1000


def gather(
    *,
    client: redis.Redis,
    prefix: str,
    seed: int,
    journals: Sequence[Path],
    receipts: Sequence[Receipt],
    deeds: Sequence[Deed],
    pauses: Sequence[Pause],
    drops: Sequence[Drop],
    exits: Sequence[Exit],
    sick: Sequence[str],
    leaks: Iterable[str],
    logs: Iterable[Path],
    limits: Limits,
) -> History:
    """Everything, as the judge reads it."""
    entries = [read_journal(path) for path in journals]
    items = _items(seed, entries)
    ledger = _Ledger(client, prefix)
    return History(
        sent=tuple(_sent(entries, items, limits)),
        arrivals=tuple(_arrival(number, one, items) for number, one in enumerate(receipts, 1)),
        records=ledger.records(),
        endings=ledger.endings(),
        deeds=tuple(deeds),
        pauses=tuple(pauses),
        drops=tuple(drops),
        exits=tuple(exits),
        books=ledger.books(),
        sick=tuple(sick),
        leaks=(*leaks, *_leaks_in(logs), *ledger.leaks()),
        limits=limits,
    )


def _items(seed: int, journals: Sequence[Sequence[dict[str, Any]]]) -> dict[str, tuple[Item, float | None]]:
    """What was sent under which number, and with which maximum age; made again from the seed."""
    last = max((int(entry["last"]) for entries in journals for entry in entries), default=0)
    parcels = takewhile(lambda parcel: parcel.items[0].number <= last, traffic(seed, len(journals)))
    return {f"{item.number:07}": (item, parcel.max_age) for parcel in parcels for item in parcel.items}


def _sent(
    journals: Sequence[Sequence[dict[str, Any]]], items: dict[str, tuple[Item, float | None]], limits: Limits
) -> Iterator[Sent]:
    for sender, entries in enumerate(journals):
        began: dict[str, float] = {}
        told: dict[str, tuple[float, str, str | None]] = {}
        for entry in entries:
            for place, id_ in enumerate(entry["ids"]):
                began.setdefault(id_, entry["at"])
                if "told" in entry:
                    told[id_] = (entry["at"], *entry["told"][place])
        for id_, at in began.items():
            item, max_age = items[id_.partition(".")[0]]
            told_at, status, holder = told.get(id_, (None, None, None))
            yield Sent(
                id=id_,
                sender=sender,
                connector=item.connector,
                action=item.action,
                action_class=item.action_class,
                content=item.content,
                began=at,
                told_at=told_at,
                status=status,
                holder=holder,
                delay=item.delay,
                max_age=max_age or (limits.entry_expiry if item.action_class == "entry" else None),
                order_id=item.order_id,
                key=item.key,
                drops=item.drops,
                target=item.target,
                valid=item.valid,
            )


def _arrival(number: int, receipt: Receipt, items: dict[str, tuple[Item, float | None]]) -> Arrival:
    body = receipt.body if receipt.complete else None
    id_ = str(body.get("log")) if body is not None else _id_in(receipt.raw)
    item = items.get((id_ or "").partition(".")[0], (None, None))[0]
    return Arrival(
        number=number,
        connector=receipt.connector or (item.connector if item else ""),
        began=receipt.received_at,
        id=id_,
        ended=receipt.answered_at,
        status=receipt.status,
        text=receipt.answer,
        complete=receipt.complete,
        intact=body is None or (item is not None and _same(body, item)),
        rule=receipt.mischief,
    )


def _id_in(raw: bytes) -> str | None:
    """The id in half a body, if it was in that half."""
    _, found, rest = raw.partition(b'"log":"')
    id_, end, _ = rest.partition(b'"')
    return id_.decode("ascii", "replace") if found and end else None


def _same(body: dict[str, Any], item: Item) -> bool:
    """Whether a POST is what was sent. The paper endpoint reads its numbers as exact texts."""
    kept = {k: v for k, v in item.fields.items() if k not in ("delaySeconds", "delaySecondsFilter")}
    wanted = {"connectorName": item.connector, "connectorToken": token_of(item.connector), **kept}
    return bool(_plain({k: v for k, v in body.items() if k != "log"}) == _plain(wanted))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def _leaks_in(logs: Iterable[Path]) -> Iterator[str]:
    for log in logs:
        if TOKEN_MARK.encode() in log.read_bytes():
            yield f"the log {log.name}"


class _Ledger:
    """Raw reads."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    def records(self) -> tuple[Record, ...]:
        return tuple(_record(name, raw) for name, raw in self._hashes("signal:"))

    def endings(self) -> tuple[Ending, ...]:
        stream: Any = self._client.xrange(f"{self._prefix}outcomes")
        return tuple(
            Ending(raw[b"id"].decode(), raw[b"outcome"].decode(), int(at.decode().partition("-")[0]))
            for at, raw in stream
        )

    def books(self) -> Books:
        return Books(
            counts=self._numbers("counts"),
            totals=self._numbers("totals"),
            left_behind={name: size for name, size in self._sizes() if size},
            claims=dict(self._claims()),
            bodies=frozenset(name for name in self._names("body:")),
        )

    def leaks(self) -> Iterator[str]:
        """Keys that hold a token although they are no body."""
        mark = TOKEN_MARK.encode()
        for name, raw in self._hashes("signal:"):
            if any(mark in value for value in raw.values()):
                yield f"the record of {name}"
        for stream in ("outcomes", "acts"):
            entries: Any = self._client.xrange(f"{self._prefix}{stream}")
            if any(mark in value for _, raw in entries for value in raw.values()):
                yield f"the stream {stream}"

    def _names(self, kind: str) -> list[str]:
        start = f"{self._prefix}{kind}"
        found: Iterator[bytes] = self._client.scan_iter(match=f"{start}*", count=_PAGE)
        return sorted({key.decode().removeprefix(start) for key in found})

    def _hashes(self, kind: str) -> Iterator[tuple[str, dict[bytes, bytes]]]:
        names = self._names(kind)
        for start in range(0, len(names), _PAGE):
            part = names[start : start + _PAGE]
            pipe = self._client.pipeline(transaction=False)
            for name in part:
                pipe.hgetall(f"{self._prefix}{kind}{name}")
            yield from zip(part, pipe.execute(), strict=True)

    def _numbers(self, name: str) -> dict[str, int]:
        raw: Any = self._client.hgetall(f"{self._prefix}{name}")
        return {field.decode(): int(value) for field, value in raw.items()}

    def _sizes(self) -> Iterator[tuple[str, int]]:
        for name in ("lanes", "rung", "wakeups", "halted", "calendar", "armed"):
            yield name, int(self._client.zcard(f"{self._prefix}{name}"))
        yield "leases", int(self._client.hlen(f"{self._prefix}leases"))
        for name in self._names("lane:"):
            yield f"lane:{name}", int(self._client.llen(f"{self._prefix}lane:{name}"))
        for name in self._names("later:"):
            yield f"later:{name}", int(self._client.zcard(f"{self._prefix}later:{name}"))

    def _claims(self) -> Iterator[tuple[str, str]]:
        for kind, claim in (("order", order_claim), ("key", key_claim)):
            names = self._names(f"claim:{kind}:")
            for name in names:
                length, _, rest = name.partition(":")
                connector = rest.encode()[: int(length)].decode()
                held: Any = self._client.get(f"{self._prefix}claim:{kind}:{name}")
                if held:
                    yield claim(connector, rest[len(connector) + 1 :]), held.decode().partition(" ")[0]


def _record(name: str, raw: dict[bytes, bytes]) -> Record:
    def text(field: str) -> str:
        return raw.get(field.encode(), b"").decode("utf-8", "replace")

    def number(field: str) -> int | None:
        return int(float(text(field))) if text(field) else None

    return Record(
        id=name,
        connector=text("connector"),
        action=text("action"),
        action_class=text("class"),
        state=text("state"),
        seq=number("seq") or 0,
        admitted_ms=number("admitted") or 0,
        due_ms=number("due") or 0,
        expires_ms=number("expires"),
        outcome=text("outcome") or None,
        why=text("why"),
        ended_ms=number("ended"),
        attempts=number("attempts") or 0,
        unknowns=number("unknowns") or 0,
        history=tuple(line for line in text("history").split("\n") if line),
    )
