"""The queue's own interface: admit, checkout, settle, defer, wake. Redis holds the truth."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import redis

from worker.lanes.durability import MEMORY, Durability
from worker.lanes.early import Begun
from worker.lanes.hearing import Hearing
from worker.lanes.keys import FORMAT, LANES_PER_RING, RING_QUEUE
from worker.lanes.packing import packed
from worker.lanes.redis import Persistence
from worker.lanes.scripts import Observe, Script
from worker.records import (
    ACCEPTED,
    Admission,
    AdmitAnswer,
    Admitted,
    Brakes,
    CheckoutAnswer,
    CircuitChange,
    DeferAnswer,
    Deferral,
    DropAnswer,
    Ended,
    Head,
    Held,
    Outcome,
    PauseAnswer,
    ResolveAnswer,
    SettleAnswer,
    Settlement,
    Timing,
    WakeAnswer,
)

log = logging.getLogger(__name__)

HANDED_BACK_MS = 1000
"""How long a head rests that was handed back because Redis did not make its claim durable."""

Act = Literal["resend", "accept", "discard"]
"""What a person may decide about a dead letter."""


class Lanes:
    """All lanes, the calendar and the ledger of one installation.

    Every method is one atomic call and safe to repeat with the same arguments. Each raises
    QueueUnavailable after ``patience`` seconds without an answer, or as soon as ``abandoned`` says so (the
    call may have taken effect), and QueueUnusable when Redis refuses for good.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        prefix: str,
        timing: Timing | None = None,
        brakes: Brakes | None = None,
        patience: float = 5.0,
        abandoned: Callable[[], bool] = lambda: False,
        durability: Durability = MEMORY,
        rate_of: Callable[[str], tuple[float, int] | None] = lambda _: None,
        worker: str = "",
        observe: Observe | None = None,
        ring: Callable[[], str | None] = lambda: None,
        traced: bool = False,
    ) -> None:
        """``worker``: a name under which each sweep notes that its caller is alive; empty: it does not.
        ``observe``: told of every call to Redis. ``traced``: heads tell in which trace they were sent.
        ``rate_of``: rate and burst of a connector for which those of ``brakes`` do not hold.
        ``ring``: the message with which ``admit`` rings lanes by itself, so that its answer names none but
        those that this cannot ring; None: it names all.
        ``durability``: how safe a write must be before ``admit`` returns, or a head is handed out."""
        self._durability = durability
        self._timing = timing or Timing()
        self._persistence = Persistence(patience, abandoned)
        hearing = Hearing(client)

        def script(name: str) -> Script:
            # What takes signals in is not run when Redis is full; all else gives memory back.
            takes = name.startswith("admit")
            return Script(client, hearing, prefix, name, when_full=not takes, observe=observe)

        self._admit, self._admit_one = script("admit"), script("admit_one")
        self._checkout, self._settle, self._defer = script("checkout"), script("settle"), script("defer")
        self._wake, self._pause = script("wake"), script("pause")
        self._resolve, self._drop, self._release = script("resolve"), script("drop"), script("release")
        self._brakes = _brakes(brakes or Brakes())
        self._rate_of = rate_of
        self._worker = worker
        self._ring = ring
        self._base = {
            "format": FORMAT,
            "lease": self._timing.lease_ms,
            "horizon": self._timing.horizon_ms,
            "slot": self._timing.slot_ms,
            "keep": self._timing.keep_ms,
            "stream": self._timing.stream_length,
            **({"trace": True} if traced else {}),
        }

    def admit(self, batch: Sequence[Admission], *, in_order: bool = False) -> AdmitAnswer:
        """Take signals in; one result each, in order. Ids are the caller's, so asking again is safe.

        ``in_order``: where a lane is full, refuse exits too, which otherwise still find room.
        """
        script = self._admit_one if len(batch) == 1 else self._admit
        reply = self._call(
            script, durability=self._durability, insist=True, **self._admission(batch, in_order=in_order)
        )
        return _admitted(reply, len(batch))

    def begin(self, batch: Sequence[Admission], *, in_order: bool = False) -> Begun[AdmitAnswer]:
        """As ``admit``, for an answer that is wanted later: the batch is on its way meanwhile."""
        arguments = self._admission(batch, in_order=in_order)
        extra = arguments.pop("extra")
        script = self._admit_one if len(batch) == 1 else self._admit
        begun = script.begin(
            self._with_basis(arguments, self._durability),
            self._persistence,
            self._durability,
            insist=True,
            extra=extra,
        )
        return Begun(lambda: _admitted(begun.answer(), len(batch)), begun.drop)

    def checkout(self, lanes: Iterable[str], token: str) -> CheckoutAnswer:
        """Lease lanes under ``token`` (new for each call) and get their heads, noted as being sent."""
        lanes = list(lanes)
        reply = self._call(
            self._checkout,
            durability=self._durability,
            lanes=lanes,
            token=token,
            brakes=self._brakes_of(lanes),
        )
        heads = tuple(_head(item) for item in reply["items"])
        if not reply["durable"]:
            self._hand_back(heads)
            heads = ()
        return CheckoutAnswer(**_common(reply), heads=heads)

    def settle(self, batch: Sequence[Settlement]) -> SettleAnswer:
        """Write outcomes down; hand out each lane's next head, or give the lane back."""
        items = [
            {
                "lane": item.head.lane,
                "id": item.head.id,
                "token": item.head.token,
                "outcome": item.outcome,
                "why": item.why,
                "note": item.note,
                "more": item.more,
                **_health(item),
            }
            for item in batch
        ]
        brakes = self._brakes_of([item.head.lane for item in batch if item.more])
        reply = self._call(self._settle, durability=self._durability, items=items, brakes=brakes, ends=True)
        if reply["durable"]:
            results = tuple(
                (item["status"], _head(item["next"]) if "next" in item else None) for item in reply["items"]
            )
            return SettleAnswer(**_common(reply), results=results)
        # No next heads, but what is over must not be forgotten: it would be taken for lost in flight.
        self._hand_back([_head(item["next"]) for item in reply["items"] if "next" in item])
        final = [{**item, "more": False} for item in items]
        again = self._call(
            self._settle,
            durability=self._durability,
            insist=True,
            items=final,
            brakes=self._brakes,
            ends=True,
        )
        known = {item["id"] for item in reply["ended"]}
        again["ended"] = reply["ended"] + [item for item in again["ended"] if item["id"] not in known]
        return SettleAnswer(
            **_common(again), results=tuple((item["status"], None) for item in again["items"])
        )

    def defer(self, batch: Sequence[Deferral]) -> DeferAnswer:
        """Put heads back into their places, to be tried again."""
        return self._put_back(batch, self._durability)

    def resolve(self, ids: Sequence[str], act: Act, *, by: str, why: str = "") -> ResolveAnswer:
        """Write down what a person decided about dead letters; safe when two decide at once.

        A repeated call finds its letters ``gone``.
        """
        reply = self._call(self._resolve, items=list(ids), act=act, by=by, why=why)
        return ResolveAnswer(**_common(reply), results=tuple(item["status"] for item in reply["items"]))

    def drop(self, ids: Sequence[str], *, by: str, why: str = "") -> DropAnswer:
        """Call off signals that wait, delayed or due: they end as cancelled, and their ids are free again.

        What a worker has in hand, or may have posted, is left alone; the answer says so for each.
        """
        reply = self._call(
            self._drop, durability=self._durability, insist=True, items=list(ids), by=by, why=why
        )
        return DropAnswer(**_common(reply), results=tuple(item["status"] for item in reply["items"]))

    def release(self, ids: Sequence[str]) -> None:
        """Free the idempotency keys and forget the texts of these signals, however they are; their order ids
        stay claimed.

        For what is to be known only until the sender has its answer: what comes with the same afterwards is
        a new signal. Ids that are gone are passed over.
        """
        self._call(self._release, items=list(ids))

    def pause(self, scopes: Sequence[str], *, label: str, by: str, why: str = "") -> PauseAnswer:
        """Hold back what ``scopes`` cover (see ``worker.lanes.pauses``), from the next checkout on.

        What workers had taken before is told: nothing that is paused starts once ``covered`` is empty.
        """
        return self._change_pause(scopes, label, by, why, begin=True)

    def covered(self) -> tuple[str, ...]:
        """Ids of paused signals whose POST may still begin, because workers had taken them before."""
        return self._change_pause((), "", "", "", begin=True).in_flight

    def resume(self, scopes: Sequence[str], *, label: str, by: str, why: str = "") -> PauseAnswer:
        """Let go on what ``scopes`` cover, as far as it is not paused for another reason too."""
        return self._change_pause(scopes, label, by, why, begin=False)

    def wake(self) -> WakeAnswer:
        """Do what is due."""
        return self._wake_up({})

    def sweep(self, every_ms: int) -> WakeAnswer:
        """Do what is due, look for lost rings, and arm far-off times that have come near.

        Does nothing if anybody has swept within the last ``every_ms``.
        """
        repair = {
            "every": every_ms,
            "patience": self._timing.patience_ms,
            "queue": RING_QUEUE,
            "crowd": self._timing.crowd,
            "letters_kept": self._timing.letters_kept_ms,
            "letters_most": self._timing.letters_most,
        }
        # Who is late by a sweep or two still lives.
        beat = {"worker": {"name": self._worker, "lasts": every_ms * 4 + 5000}} if self._worker else {}
        return self._wake_up({"repair": repair, **beat})

    def _brakes_of(self, lanes: Sequence[str]) -> dict[str, Any]:
        """The brakes, with the rates that some of these lanes have of their own."""
        own = {lane: rate for lane in lanes if (rate := self._rate_of(lane)) is not None}
        return {**self._brakes, "rates": own} if own else self._brakes

    def _change_pause(
        self, scopes: Sequence[str], label: str, by: str, why: str, *, begin: bool
    ) -> PauseAnswer:
        arguments: dict[str, Any] = {
            "scopes": list(scopes),
            "label": label,
            "by": by,
            "why": why,
            "set": begin,
        }
        reply = self._call(self._pause, durability=self._durability, insist=True, **arguments)
        return PauseAnswer(**_common(reply), in_flight=tuple(item["id"] for item in reply["items"]))

    def _wake_up(self, extra: dict[str, Any]) -> WakeAnswer:
        reply = self._call(self._wake, limit=self._timing.limit, **extra)
        (found,) = reply["items"]
        return WakeAnswer(
            **_common(reply),
            more=found["more"],
            leases_expired=found["expired"],
            rings_lost=found["lost"],
            held=_held(found["paused"]) if "paused" in found else None,
        )

    def _put_back(self, batch: Sequence[Deferral], durability: Durability) -> DeferAnswer:
        items = [
            {
                "lane": item.head.lane,
                "id": item.head.id,
                "token": item.head.token,
                "delay": item.delay_ms,
                "note": item.note,
                "refund": item.refund,
                "unknown": item.unknown,
                **_health(item),
            }
            for item in batch
        ]
        reply = self._call(
            self._defer, durability=durability, insist=True, items=items, brakes=self._brakes, ends=True
        )
        return DeferAnswer(**_common(reply), results=tuple(item["status"] for item in reply["items"]))

    def _hand_back(self, heads: Sequence[Head]) -> None:
        """Undo claims that are not durable: nothing of them was sent, and nothing may be.

        Not those of orphans: they are to be judged, and as waiting signals they would be sent again.
        Their lease runs out. The wake-ups of the others are left to the sweep.
        """
        log.warning("Redis does not keep claims: not posted", extra={"error": self._durability.missing})
        unsent = [Deferral(head, HANDED_BACK_MS, refund=True) for head in heads if not head.orphan]
        if unsent:
            self._put_back(unsent, MEMORY)

    def _call(
        self,
        script: Script,
        *,
        durability: Durability = MEMORY,
        insist: bool = False,
        extra: tuple[str | bytes, ...] = (),
        **arguments: Any,
    ) -> dict[str, Any]:
        return script(
            self._with_basis(arguments, durability), self._persistence, durability, insist=insist, extra=extra
        )

    def _with_basis(self, arguments: dict[str, Any], durability: Durability) -> dict[str, Any]:
        durable = {"durable": True} if durability.command else {}
        return {**self._base, **durable, **arguments}

    def _admission(self, batch: Sequence[Admission], *, in_order: bool) -> dict[str, Any]:
        items, kinds, bodies = packed(batch)
        return {
            "items": items,
            "kinds": kinds,
            "most": self._timing.lane_limit,
            "in_order": in_order,
            "ring": {"queue": RING_QUEUE, "lanes": LANES_PER_RING},
            "extra": (self._ring() or "", bodies),
        }


def _admitted(reply: dict[str, Any], signals: int) -> AdmitAnswer:
    results = [ACCEPTED] * signals
    for item in reply["items"]:
        results[item["place"] - 1] = Admitted(item["status"], item.get("first"), item.get("state"))
    return AdmitAnswer(**_common(reply), results=tuple(results))


def _brakes(brakes: Brakes) -> dict[str, Any]:
    return {
        "endpoint": brakes.endpoint,
        "rate": brakes.rate,
        "burst": brakes.burst,
        "connector_rate": brakes.connector_rate,
        "connector_burst": brakes.connector_burst,
        "retry_rate": brakes.retry_rate,
        "circuit_lanes": brakes.circuit_lanes,
        "circuit_pause": brakes.circuit_pause_ms,
        "circuit_cap": brakes.circuit_cap_ms,
    }


def _health(item: Settlement | Deferral) -> dict[str, str]:
    return {"health": item.health} if item.health else {}


def _head(item: dict[str, Any]) -> Head:
    return Head(
        lane=item["lane"],
        id=item["id"],
        token=item["token"],
        body=item["body"],
        action=item["action"],
        action_class=item["class"],
        attempt=item["attempt"],
        unknowns=item["unknowns"],
        admitted_ms=item["admitted"],
        due_ms=item["due"],
        expires_ms=item.get("expires"),
        orphan=item["orphan"],
        taken_ms=item.get("taken"),
        rung_ms=item.get("rung"),
        trace=item.get("trace"),
    )


def _held(item: dict[str, Any]) -> Held:
    return Held(item["all"], item["entries"], item["scopes"])


def _common(reply: dict[str, Any]) -> dict[str, Any]:
    now = reply["now"]
    return {
        "now_ms": now,
        "rings": tuple(reply["rings"]),
        "slots_ms": tuple(reply["slots"]),
        "ended": tuple(_ended(item, now) for item in reply["ended"]),
        "circuits": tuple(CircuitChange(item["endpoint"], item["open"]) for item in reply["circuits"]),
    }


def _ended(item: dict[str, Any], now_ms: int) -> Ended:
    return Ended(
        id=item["id"],
        lane=item["lane"],
        action=item["action"],
        action_class=item["class"],
        outcome=Outcome(item["outcome"]),
        why=item["why"],
        attempts=item["attempts"],
        admitted_ms=item["admitted"],
        due_ms=item["due"],
        ended_ms=now_ms,
    )
