"""Random calls on the queue, in any order and by anybody, against a plain model of what may happen.

The model is small on purpose: it remembers what each signal was told to become, and the invariants read Redis
itself. A duration of a few milliseconds stands for a lease, a delay or a retry; which of them have passed at
the next call is left to chance, because they may have.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import redis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from demo.stack import Server
from worker.lanes import Admission, Brakes, Deferral, Ended, Head, Lanes, Outcome, Settlement, Timing
from worker.lanes.pauses import scopes
from worker.lanes.redis import connect

CONNECTORS = ("a", "b:c", "b")
ORDER_IDS = ("1", "c:1", "2")
KEYS = (None, None, "k", "c:1")
ENDS = (Outcome.ACCEPTED, Outcome.REJECTED, Outcome.UNSENT, Outcome.UNKNOWN, Outcome.INVALID)
FREES = {"rejected", "unsent", "invalid", "expired", "cancelled", "discarded"}

_runs = itertools.count()


@dataclass
class Known:
    """What the model knows of an accepted signal."""

    admission: Admission
    handed_out: int = 0
    """Times its head was handed out to be sent, less those that were given back."""
    outcomes: list[str] = field(default_factory=list)
    accepted_by_person: bool = False
    released: bool = False


class QueueMachine(RuleBasedStateMachine):
    client: redis.Redis

    def __init__(self) -> None:
        super().__init__()
        self.prefix = f"m{os.getpid()}-{next(_runs)}:"
        timing = Timing(
            lease_ms=5, horizon_ms=20, slot_ms=5, patience_ms=5, keep_ms=60_000, limit=3, lane_limit=6
        )
        brakes = Brakes(
            "api",
            rate=2000,
            connector_rate=500,
            connector_burst=2,
            retry_rate=500,
            circuit_lanes=2,
            circuit_pause_ms=4,
            circuit_cap_ms=8,
        )
        self.lanes = Lanes(self.client, prefix=self.prefix, timing=timing, brakes=brakes)
        self.paused: set[str] = set()
        self.heads: list[Head] = []
        """What workers have in their hands. No bundle: whether a call hands a head out depends on the time,
        and what hypothesis draws must not."""
        self.known: dict[str, Known] = {}
        self.numbers = itertools.count(1)

    @rule(
        connector=st.sampled_from(CONNECTORS),
        kind=st.sampled_from(("entry", "full", "cancel", "cancelAll")),
        order_id=st.none() | st.sampled_from(ORDER_IDS),
        key=st.sampled_from(KEYS),
        delay=st.sampled_from((0, 0, 0, 3, 60_000)),
        age=st.sampled_from((None, None, 4)),
        again=st.booleans(),
    )
    def admit(
        self,
        connector: str,
        kind: str,
        order_id: str | None,
        key: str | None,
        delay: int,
        age: int | None,
        again: bool,
    ) -> None:
        one = self._admission(connector, kind, order_id, delay, age)._replace(idempotency_key=key)
        answer = self.lanes.admit([one])
        if again:  # the reply was lost, and meanwhile nobody did anything
            assert self.lanes.admit([one]).results == answer.results
        (result,) = answer.results
        if result.status == "accepted":
            self.known[one.id] = Known(one)
        elif result.status == "full":
            lane = self.client.llen(f"{self.prefix}lane:{connector}")
            assert lane + self.client.zcard(f"{self.prefix}later:{connector}") >= 6
        else:
            first = self.known[str(result.first_id)]
            by_order = one.order_id is not None and first.admission.order_id == one.order_id
            assert by_order or (first.admission.idempotency_key == key is not None and not first.released)
            assert first.admission.connector == connector
        self._note(answer.ended)

    def _admission(
        self, connector: str, kind: str, order_id: str | None, delay: int, age: int | None
    ) -> Admission:
        actions = {"entry": "openLong", "full": "closeLong", "cancel": "cancel", "cancelAll": "cancelAll"}
        drops = {"entry": None, "full": "openLong", "cancel": "order", "cancelAll": "all"}[kind]
        places = kind in ("entry", "full")
        return Admission(
            id=f"s{next(self.numbers)}",
            connector=connector,
            action=actions[kind],
            action_class="cancel" if not places else kind,
            delay_ms=delay,
            window_ms=60_000,
            fingerprint="f",
            body="{}",
            max_age_ms=age if kind == "entry" else None,
            order_id=order_id if places else None,
            drops=drops,
            target=(order_id or "1") if kind == "cancel" else None,
        )

    @rule(
        lanes=st.lists(st.sampled_from(CONNECTORS), min_size=1, unique=True),
        again=st.booleans(),
    )
    def checkout(self, lanes: list[str], again: bool) -> None:
        token = f"t{next(self.numbers)}"
        answer = self.lanes.checkout(lanes, token)
        if again:
            repeated = self.lanes.checkout(lanes, token)
            assert {head.id for head in answer.heads} <= {head.id for head in repeated.heads}
            self._note(repeated.ended)
            answer_heads = repeated.heads
        else:
            answer_heads = answer.heads
        self._note(answer.ended)
        for head in answer_heads:
            self._handed(head)

    def _handed(self, head: Head) -> None:
        known = self.known[head.id]
        assert not known.outcomes or head.attempt == 1, "what has ended is handed out only after a resend"
        if not head.orphan:
            assert not self._is_paused(head), "a paused signal is not handed out"
            known.handed_out += 1
            assert known.handed_out == 1, "an attempt is handed out to be sent once"
        self.heads.append(head)

    def _pick(self, pick: int) -> Head | None:
        return self.heads.pop(pick % len(self.heads)) if self.heads else None

    def _is_paused(self, head: Head) -> bool:
        held = {"all", f"all:{head.lane}"}
        if head.action_class == "entry":
            held |= {"entries", f"entries:{head.lane}"}
        return bool(held & self.paused)

    @rule(connector=st.none() | st.sampled_from(CONNECTORS), entries=st.booleans())
    def pause(self, connector: str | None, entries: bool) -> None:
        wanted = scopes([connector] if connector else [], entries_only=entries)
        answer = self.lanes.pause(wanted, label="person", by="machine")
        self.paused |= set(wanted)
        for signal_id in answer.in_flight:
            assert self._record(signal_id)["state"] == "sending"

    @rule(pick=st.integers(0, 100))
    def resume(self, pick: int) -> None:
        if self.paused:
            scope = sorted(self.paused)[pick % len(self.paused)]
            self.paused.discard(scope)
            self.lanes.resume([scope], label="person", by="machine")

    @rule(
        pick=st.integers(0, 100),
        outcome=st.sampled_from(ENDS),
        more=st.booleans(),
        health=st.sampled_from((None, "well", "ill")),
    )
    def settle(self, pick: int, outcome: Outcome, more: bool, health: str | None) -> None:
        head = self._pick(pick)
        if head is None:
            return
        answer = self.lanes.settle([Settlement(head, outcome, "why", "{}", more, health)])
        self._note(answer.ended)
        ((_, following),) = answer.results
        if following is not None:
            self._handed(following)

    @rule(
        pick=st.integers(0, 100),
        delay=st.sampled_from((0, 4, 60_000)),
        how=st.sampled_from(("", "refund", "unknown")),
        health=st.sampled_from((None, "well", "ill")),
    )
    def defer(self, pick: int, delay: int, how: str, health: str | None) -> None:
        head = self._pick(pick)
        if head is None or (head.orphan and how == "refund"):
            return
        item = Deferral(head, delay, "{}", refund=how == "refund", unknown=how == "unknown", health=health)
        answer = self.lanes.defer([item])
        if answer.results == ("done",):
            self.known[head.id].handed_out = 0
        self._note(answer.ended)

    @rule(pick=st.integers(0, 100))
    def forget(self, pick: int) -> None:
        """A worker dies with a head in its hands: nothing happens, but somebody else may come."""
        self._pick(pick)

    @rule()
    def wake(self) -> None:
        self._note(self.lanes.wake().ended)

    @rule()
    def sweep(self) -> None:
        self._note(self.lanes.sweep(1).ended)

    @rule(act=st.sampled_from(("resend", "accept", "discard")), pick=st.integers(0, 100))
    def resolve(self, act: Any, pick: int) -> None:
        dead = self._ids(self.client.zrange(f"{self.prefix}dead", 0, -1))
        if not dead:
            return
        chosen = dead[pick % len(dead)]
        answer = self.lanes.resolve([chosen], act, by="machine")
        if answer.results == ("done",) and act == "resend":
            self.known[chosen].handed_out = 0
            self.known[chosen].outcomes.clear()
        elif answer.results == ("done",):
            self.known[chosen].outcomes.clear()
            self.known[chosen].accepted_by_person = act == "accept"
        self._note(answer.ended)

    @rule(picks=st.lists(st.integers(0, 100), min_size=1, max_size=3))
    def release(self, picks: list[int]) -> None:
        ids = [list(self.known)[pick % len(self.known)] for pick in picks if self.known]
        self.lanes.release([*ids, "nobody"])
        for signal_id in ids:
            self.known[signal_id].released = True

    @rule(picks=st.lists(st.integers(0, 100), min_size=1, max_size=3), again=st.booleans())
    def drop(self, picks: list[int], again: bool) -> None:
        if not self.known:
            return
        ids = list(dict.fromkeys(list(self.known)[pick % len(self.known)] for pick in picks))
        expected = tuple(self._when_dropped(signal_id) for signal_id in ids)
        answer = self.lanes.drop(ids, by="machine")
        assert answer.results == expected
        if again:  # the reply was lost, and meanwhile nobody did anything
            repeated = self.lanes.drop(ids, by="machine")
            assert (repeated.results, repeated.ended) == (expected, ())
            assert set(answer.rings) <= set(repeated.rings)
        self._note(answer.ended)

    def _when_dropped(self, signal_id: str) -> str:
        record = self._record(signal_id)
        if record["state"] in ("waiting", "delayed"):
            return "doubtful" if int(record.get("unknowns", 0)) else "done"
        by_us = record["state"] == "finished" and record["why"] == "dropped by machine"
        return "done" if by_us else "sending" if record["state"] == "sending" else "gone"

    def _note(self, ended: tuple[Ended, ...]) -> None:
        for end in ended:
            known = self.known[end.id]
            late = known.outcomes == ["unknown"]
            assert not known.outcomes or late, f"{end.id} ended twice: {known.outcomes} and {end.outcome}"
            known.outcomes = [end.outcome.value]

    def _ids(self, members: list[bytes]) -> list[str]:
        return [member.decode() for member in members]

    def _record(self, signal_id: str) -> dict[str, str]:
        raw = self.client.hgetall(f"{self.prefix}signal:{signal_id}")
        return {name.decode(): value.decode() for name, value in raw.items()}

    @invariant()
    def every_signal_is_in_exactly_one_place(self) -> None:
        places: dict[str, list[str]] = {signal_id: [] for signal_id in self.known}
        for connector in CONNECTORS:
            for signal_id in self._ids(self.client.lrange(f"{self.prefix}lane:{connector}", 0, -1)):
                places[signal_id].append("lane")
            for member in self._ids(self.client.zrange(f"{self.prefix}later:{connector}", 0, -1)):
                places[member.split(" ")[1]].append("calendar")
        for signal_id in self._ids(self.client.zrange(f"{self.prefix}dead", 0, -1)):
            places[signal_id].append("dead")
        counted = {"waiting": 0, "delayed": 0}
        for signal_id, known in self.known.items():
            record = self._record(signal_id)
            expected = {
                "waiting": ["lane"],
                "sending": ["lane"],
                "delayed": ["calendar"],
                "dead": ["dead"],
                "finished": [],
            }[record["state"]]
            assert places[signal_id] == expected, (signal_id, record, places[signal_id])
            ended = record["state"] in ("dead", "finished")
            assert ([record["outcome"]] if ended else []) == known.outcomes
            has_body = self.client.exists(f"{self.prefix}body:{signal_id}") == 1
            assert has_body is (record["state"] != "finished")
            counted["waiting"] += places[signal_id] == ["lane"]
            counted["delayed"] += places[signal_id] == ["calendar"]
        for name, count in counted.items():
            assert int(self.client.hget(f"{self.prefix}counts", name) or 0) == count

    @invariant()
    def totals_tell_how_all_ended(self) -> None:
        raw = self.client.hgetall(f"{self.prefix}totals")
        totals = {name.decode(): int(count) for name, count in raw.items()}
        assert totals.get("admitted", 0) == len(self.known)
        for outcome in Outcome:
            ended = sum(known.outcomes == [outcome] for known in self.known.values())
            assert totals.get(outcome, 0) == ended, outcome

    @invariant()
    def exits_are_listed_in_their_order(self) -> None:
        for connector in CONNECTORS:
            ids = self._ids(self.client.lrange(f"{self.prefix}lane:{connector}", 0, -1))
            exits = [one for one in ids if self.known[one].admission.action_class != "entry"]
            assert self._ids(self.client.lrange(f"{self.prefix}exits:{connector}", 0, -1)) == exits

    @invariant()
    def every_lane_with_work_is_in_exactly_one_index(self) -> None:
        for connector in CONNECTORS:
            ids = self._ids(self.client.lrange(f"{self.prefix}lane:{connector}", 0, -1))
            scores = {
                name: self.client.zscore(f"{self.prefix}{name}", connector)
                for name in ("lanes", "rung", "wakeups", "halted")
            }
            assert (scores["lanes"] is not None) is bool(ids)
            assert sum(scores[name] is not None for name in ("rung", "wakeups", "halted")) == bool(ids)
            states = [self._record(signal_id)["state"] for signal_id in ids]
            assert states.count("sending") <= 1
            assert "sending" not in states[1:], "only the head is in flight"
            leased = self.client.hexists(f"{self.prefix}leases", connector)
            assert leased is (states[:1] == ["sending"])
            later = self.client.zrange(f"{self.prefix}later:{connector}", 0, 0, withscores=True)
            assert self.client.zscore(f"{self.prefix}calendar", connector) == (later[0][1] if later else None)

    @invariant()
    def lanes_keep_their_order(self) -> None:
        for connector in CONNECTORS:
            ids = self._ids(self.client.lrange(f"{self.prefix}lane:{connector}", 0, -1))
            records = [self._record(signal_id) for signal_id in ids]
            for is_entry in (True, False):  # under a pause of entries the others overtake them
                dues = [
                    (int(record["due"]), int(record["seq"]))
                    for record in records
                    if (record["class"] == "entry") is is_entry
                ]
                assert dues == sorted(dues)

    @invariant()
    def a_resume_is_not_forgotten(self) -> None:
        """A lane is halted only while something holds it, or the wake that lets it go is still to come."""
        pauses = self._ids(self.client.hkeys(f"{self.prefix}pauses"))
        assert set(pauses) == self.paused
        if not pauses and not self.client.exists(f"{self.prefix}circuits"):
            assert self.client.zcard(f"{self.prefix}halted") == 0

    @invariant()
    def ids_are_held_exactly_as_long_as_an_order_may_exist(self) -> None:
        for known in self.known.values():
            one = known.admission
            for kind, name in (("order", one.order_id), ("key", one.idempotency_key)):
                if name is None:
                    continue
                key = f"{self.prefix}claim:{kind}:{len(one.connector)}:{one.connector}:{name}"
                held = (self.client.get(key) or b"").decode().split(" ")[0]
                if set(known.outcomes) & FREES or (kind == "key" and known.released):
                    assert held != one.id
                elif not known.accepted_by_person:  # whose freed id another may have used before
                    assert held == one.id


def test_queue_machine() -> None:
    with TemporaryDirectory() as folder, Server(Path(folder)) as server, connect(server.url) as client:
        QueueMachine.client = client
        run_state_machine_as_test(
            QueueMachine,
            settings=settings(
                max_examples=40,
                stateful_step_count=40,
                deadline=None,
                # Time passes differently in each run, so smaller examples would prove nothing.
                phases=(Phase.generate,),
                suppress_health_check=list(HealthCheck),
            ),
        )
