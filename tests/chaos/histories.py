"""A run in which every promise was kept, small enough to be read, and made to be broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from chaos.check.books import HOLDS_ITS_ID
from chaos.check.outcomes import DEAD, SILENT
from chaos.history import Arrival, Books, Deed, Drop, Ending, Exit, History, Pause, Record, Sent, claims_of

START = 1_000_000
"""Seconds; the run takes a minute from here."""


@dataclass
class World:
    """Its parts can be changed one by one; sums and streams follow from them unless they are overruled."""

    sent: dict[str, Sent] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    pauses: list[Pause] = field(default_factory=list)
    drops: list[Drop] = field(default_factory=list)
    exits: list[Exit] = field(default_factory=list)
    sick: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    endings: list[Ending] | None = None
    books: dict[str, Any] = field(default_factory=dict)

    def signal(
        self,
        id_: str,
        *,
        at: float,
        kind: str = "entry",
        action: str = "openLong",
        outcome: str = "accepted",
        ended: float | None = None,
        attempts: int = 1,
        why: str = "",
        unknowns: int = 0,
        **sent: Any,
    ) -> None:
        """One that was admitted ``at`` seconds after the start, and ended within a second or at ``ended``."""
        given: dict[str, Any] = {"order_id": None if kind == "cancel" else f"order {id_}"}
        given |= {"max_age": 20.0 if kind == "entry" else None, "delay": 0.0, **sent}
        self.refusal(id_, at=at, kind=kind, action=action, status="accepted", **given)
        one = self.sent[id_]
        admitted = round((START + at) * 1000)
        due = admitted + round(one.delay * 1000) + 1 if one.delay else admitted
        self.records[id_] = Record(
            id=id_,
            connector=one.connector,
            action=action,
            action_class=kind,
            state="dead" if outcome in DEAD else "finished",
            seq=len(self.records) + 1,
            admitted_ms=admitted,
            due_ms=due,
            expires_ms=None if one.max_age is None else due + round(one.max_age * 1000),
            outcome=outcome,
            why=why,
            ended_ms=due + 900 if ended is None else round((START + ended) * 1000),
            attempts=attempts,
            unknowns=unknowns,
        )

    def refusal(self, id_: str, *, at: float, status: str | None, kind: str = "entry", **more: Any) -> None:
        """One that its sender handed over, whatever it was told."""
        given: dict[str, Any] = {
            "id": id_,
            "sender": 0,
            "connector": "acct",
            "action": "openLong",
            "action_class": kind,
            "content": id_,
            "began": START + at - 0.01,
            "told_at": None if status is None else START + at + 0.01,
            "status": status,
        }
        self.sent[id_] = Sent(**given | more)

    def arrival(self, id_: str | None, at: float, status: int | None = 200, **more: Any) -> None:
        """A POST ``at`` seconds after the start, answered a tenth of a second later unless status is None."""
        answer = {"ended": None} if status is None else {"ended": START + at + 0.1, "status": status}
        given: dict[str, Any] = {
            "number": len(self.arrivals) + 1,
            "connector": self.sent[id_].connector if id_ else "acct",
            "began": START + at,
            "id": id_,
            "text": "ok" if status == 200 else None,
            **answer,
        }
        self.arrivals.append(Arrival(**given | more))

    def send(self, id_: str, **fields: Any) -> None:
        """Change what was sent."""
        self.sent[id_] = replace(self.sent[id_], **fields)

    def record(self, id_: str, **fields: Any) -> None:
        """Change what the ledger says."""
        self.records[id_] = replace(self.records[id_], **fields)

    def arrive(self, number: int, **fields: Any) -> None:
        """Change an arrival, from 1."""
        self.arrivals[number - 1] = replace(self.arrivals[number - 1], **fields)

    def history(self) -> History:
        arrivals = sorted(self.arrivals, key=lambda one: one.began)
        return History(
            sent=tuple(self.sent.values()),
            arrivals=tuple(replace(one, number=n) for n, one in enumerate(arrivals, 1)),
            records=tuple(self.records.values()),
            endings=tuple(self._endings() if self.endings is None else self.endings),
            deeds=tuple(self.deeds),
            pauses=tuple(self.pauses),
            drops=tuple(self.drops),
            exits=tuple(self.exits),
            books=replace(self._books(), **self.books),
            sick=tuple(self.sick),
            leaks=tuple(self.leaks),
        )

    def _endings(self) -> Iterable[Ending]:
        return [
            Ending(one.id, one.outcome, one.ended_ms or 0) for one in self.records.values() if one.outcome
        ]

    def _books(self) -> Books:
        ends = Counter(one.outcome for one in self.records.values() if one.outcome)
        told = Counter(one.status for one in self.sent.values())
        return Books(
            counts={"waiting": 0, "delayed": 0} | {f"dead:{name}": ends[name] for name in DEAD},
            totals={"admitted": len(self.records), **ends}
            | {name: told[name] for name in ("duplicate", "conflict")},
            claims={
                claim: one.id
                for one in self.records.values()
                if one.outcome in HOLDS_ITS_ID and one.id in self.sent
                for claim in claims_of(self.sent[one.id])
            },
            bodies=frozenset(one.id for one in self.records.values() if one.outcome in DEAD),
        )


def good() -> World:
    """Every way in which a signal may end, one after the other, and every reason not to take one."""
    world = World()
    world.signal("plain", at=1)
    world.arrival("plain", 1.1)
    world.refusal("twin", at=2, status="duplicate", content="plain", order_id="order plain", holder="plain")
    world.refusal("other", at=2, status="conflict", order_id="order plain", holder="plain")
    world.refusal("wrong", at=2, status="invalid", valid=False)
    world.signal("busy", at=3, kind="partial", action="closeShort", attempts=2)
    world.arrival("busy", 3.1, 503)
    world.arrival("busy", 3.5)
    world.signal("again", at=5, kind="full", action="closeShort", attempts=2, unknowns=1)
    world.arrival("again", 5.1, None)
    world.arrival("again", 5.5)
    world.signal("hung", at=7, outcome="unknown", ended=8.5)
    world.arrival("hung", 7.1, None)
    world.signal("refused", at=9, outcome="rejected")
    world.arrival("refused", 9.1, 400)
    world.signal("late", at=10, outcome="expired", max_age=1.0, ended=11.5, attempts=0)
    world.signal("stuck", at=12, kind="partial", action="closeShort", outcome="unsent", attempts=6)
    world.arrival("stuck", 12.1, 503)
    world.signal("dropped", at=14, delay=5.0, outcome="cancelled", ended=15, why="dropped by cancel drop")
    world.signal("drop", at=15, kind="cancel", action="cancel", drops="order", target="order dropped")
    world.arrival("drop", 15.1)
    world.signal("delayed", at=16, delay=2.0, max_age=20.0, ended=19)
    world.signal("before", at=17, key="key 1", order_id=None)
    world.arrival("before", 17.1)
    world.arrival("delayed", 18.1)
    world.signal("orphan", at=20, outcome="unknown", ended=27, why=SILENT)
    world.signal("elsewhere", at=20.2, connector="other acct")
    world.arrival("elsewhere", 20.3)
    world.signal("found", at=30, kind="full", action="closeShort", ended=40)
    world.arrival("found", 30.1)
    world.refusal("unheard", at=31, status=None)
    why = "dropped by operator"
    world.signal("unwanted", at=41, delay=5.0, outcome="cancelled", ended=42, attempts=0, why=why)
    world.drops = [
        Drop("unwanted", START + 41.9, START + 42.1, "done"),
        Drop("plain", START + 42.2, START + 42.3, "gone"),
    ]
    world.exits = [
        Exit("pod-0-1", -9, "kill", at=START + 20.5),
        Exit("pod-0-2", 1, None, was_ready=False),
        Exit("pod-0-3", 0, "stop"),
    ]
    return world
