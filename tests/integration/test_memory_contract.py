"""The queue of users' tests and the real one, held against each other: they must not drift apart.

The real one has a worker that is always free and an endpoint that accepts everything, which is what the other
stands for.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import pytest
import redis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from demo.stack import eventually
from producers import MemoryProducer, Receipt, SignalProducer
from producers.admission import Draft
from worker.lanes import Lanes, Outcome, Settlement
from worker.settings import Settings, load_settings

DAY = 86_400.0
_numbers = itertools.count(1)


class Shop(Protocol):
    """A producer, time that passes, and what was posted so far."""

    producer: SignalProducer

    def send(self, *signals: dict[str, object], **beside: Any) -> list[Receipt]: ...
    def wait(self, seconds: float) -> None: ...
    def posted(self) -> list[str | None]: ...


class Memory:
    def __init__(self, chosen: Settings) -> None:
        self._now = 1000.0
        self.producer: SignalProducer = (memory := MemoryProducer(settings=chosen, clock=lambda: self._now))
        self._memory = memory

    def send(self, *signals: dict[str, object], **beside: Any) -> list[Receipt]:
        return self.producer.send(list(signals), **beside)

    def wait(self, seconds: float) -> None:
        self._now += seconds

    def posted(self) -> list[str | None]:
        return [sent.id for sent in self._memory.sent if sent.due <= self._now]


class Real:
    def __init__(self, client: redis.Redis, chosen: Settings) -> None:
        self._client = client
        self._lanes = Lanes(client, prefix=chosen.prefix, timing=chosen.timing())
        self.producer = SignalProducer(settings=chosen, bell=Deaf())
        self._key = chosen.prefix
        self._posted: list[str | None] = []

    def send(self, *signals: dict[str, object], **beside: Any) -> list[Receipt]:
        receipts = self.producer.send(list(signals), **beside)
        self._work()
        return receipts

    def wait(self, seconds: float) -> None:
        end = self._now() + seconds
        eventually(lambda: self._now() > end, within=seconds + 10, what="time passes", pause=0.001)
        self._lanes.wake()
        self._work()

    def posted(self) -> list[str | None]:
        return self._posted

    def _now(self) -> float:
        seconds, micros = self._client.time()
        return float(seconds) + micros / 1e6

    def _work(self) -> None:
        while names := [name.decode() for name in self._client.zrange(f"{self._key}lanes", 0, -1)]:
            heads = self._lanes.checkout(names, f"token{next(_numbers)}").heads
            self._posted += [head.id for head in heads]
            self._lanes.settle([Settlement(head, Outcome.ACCEPTED) for head in heads])


class Deaf:
    def ring(self, lanes: object) -> tuple[str, ...]:
        return ()

    def wake(self, slots_ms: object, now_ms: int) -> None: ...


@pytest.fixture
def chosen(redis_url: str, prefix: str) -> Settings:
    return load_settings(redis_url=redis_url, prefix=prefix, lane_limit=3)


@pytest.fixture(params=["memory", "real"])
def shop(request: pytest.FixtureRequest, client: redis.Redis, chosen: Settings) -> Iterator[Shop]:
    made: Shop = Memory(chosen) if request.param == "memory" else Real(client, chosen)
    with made.producer:
        yield made


def order(order_id: str | None = "o1", connector: str = "a", **fields: object) -> dict[str, object]:
    basis = {"connectorName": connector, "connectorToken": "token", "action": "openLong", "percent": "10"}
    return {**basis, **({"clientOrderId": order_id} if order_id else {}), **fields}


def cancel(order_id: str = "o1", connector: str = "a", **fields: object) -> dict[str, object]:
    basis = {"connectorName": connector, "connectorToken": "token"}
    return {**basis, "action": "cancel", "clientOrderId": order_id, **fields}


def cancel_all(connector: str = "a", **fields: object) -> dict[str, object]:
    return {"connectorName": connector, "connectorToken": "token", "action": "cancelAll", **fields}


def told(receipts: list[Receipt]) -> list[str]:
    return [receipt.status.value for receipt in receipts]


class TestReceipts:
    def test_all_there_are(self, shop: Shop) -> None:
        (first,) = shop.send(order())
        again, other, wrong = shop.send(order(), order(percent="20"), order(perecnt="1"))
        assert told([first, again, other, wrong]) == ["accepted", "duplicate", "conflict", "invalid"]
        assert (again.first_id, again.state) == (first.id, "accepted")
        assert (other.first_id, other.state) == (first.id, "accepted")
        assert "did you mean" in str(wrong.error)
        assert "does not look like a UUID" in first.warnings[0]

    def test_states_of_what_holds_the_id(self, shop: Shop) -> None:
        shop.send(order(delaySeconds=60))
        (late,) = shop.send(order(delaySeconds=60))
        _, soon = shop.send(order("o2"), order("o2"))
        assert (late.state, soon.state) == ("delayed", "waiting")

    def test_log_and_token_make_no_difference(self, shop: Shop) -> None:
        assert told(shop.send(order(), order(log="x", connectorToken="other"))) == ["accepted", "duplicate"]

    def test_ids_belong_to_a_connector_and_keys_are_apart(self, shop: Shop) -> None:
        sent = [order("x"), order("x", "b"), order(None), order(None, "b")]
        assert told(shop.send(*sent, idempotency_key=[None, None, "x", "x"])) == ["accepted"] * 4
        assert told(shop.send(order(None), idempotency_key=["x"])) == ["duplicate"]

    def test_without_an_id_everything_is_new(self, shop: Shop) -> None:
        assert told(shop.send(order(None), order(None))) == ["accepted"] * 2

    def test_an_id_is_known_for_its_window(self, shop: Shop) -> None:
        shop.send(order(), dedup_window=0.05)
        shop.send(order("o2"))
        shop.wait(0.06)
        assert told(shop.send(order(percent="20"), order("o2"))) == ["accepted", "duplicate"]

    def test_while_it_waits_it_is_known_however_long(self, shop: Shop) -> None:
        shop.send(order(delaySeconds=60), dedup_window=0.001)
        shop.wait(0.01)
        assert told(shop.send(order())) == ["conflict"]

    def test_the_id_of_what_was_cancelled_is_free(self, shop: Shop) -> None:
        shop.send(order(delaySeconds=60), cancel())
        assert told(shop.send(order(percent="20"))) == ["accepted"]

    def test_a_full_lane(self, shop: Shop) -> None:
        later = [order(f"o{number}", delaySeconds=60) for number in range(4)]
        assert told(shop.send(*later)) == ["accepted"] * 3 + ["full"]
        assert told(shop.send(order("o9"), order("c", action="closeShort", percent="100"))) == [
            "full",
            "accepted",
        ]
        assert told(shop.send(order("o9", "b"))) == ["accepted"]

    def test_the_same_draft_again(self, shop: Shop) -> None:
        draft, terms = Draft(order()), shop.producer.terms()
        first, again = (shop.producer.admit([draft], terms)[0] for _ in range(2))
        assert first == again
        assert first.ok

    def test_when_they_are_due(self, shop: Shop) -> None:
        receipts = shop.send(order(), order("o2", delaySeconds=2.5))
        assert [receipt.due_in for receipt in receipts] == [0.0, 2.5]


class TestPosts:
    def test_in_the_order_of_due_time(self, shop: Shop) -> None:
        receipts = shop.send(order("1", delaySeconds=0.02), order("2"), order("3", delaySeconds=0.01))
        shop.wait(0.03)
        assert shop.posted() == [receipts[place].id for place in (1, 2, 0)]

    def test_not_before_it_is_due(self, shop: Shop) -> None:
        now, _ = shop.send(order("1"), order("2", delaySeconds=60))
        shop.wait(0.01)
        assert shop.posted() == [now.id]

    def test_a_cancel_drops_what_waits_and_is_posted_itself(self, shop: Shop) -> None:
        shop.send(order("1"))
        _, _, third = shop.send(order("2"), order("3", delaySeconds=60), cancel("2"))
        (fourth,) = shop.send(cancel("3"))
        (fifth,) = shop.send(cancel("1"))
        assert shop.posted()[1:] == [third.id, fourth.id, fifth.id]
        assert told(shop.send(order("1"), order("2"), order("3"))) == ["duplicate", "accepted", "accepted"]

    def test_cancel_all_drops_what_came_before(self, shop: Shop) -> None:
        shop.send(order("1", delaySeconds=60))
        _, everything, third = shop.send(order("2"), cancel_all(), order("3"))
        assert shop.posted() == [everything.id, third.id]
        assert told(shop.send(order("1"), order("2"))) == ["accepted", "accepted"]

    @pytest.mark.parametrize(("percent", "second"), [("100", "accepted"), ("50", "duplicate")])
    def test_a_full_close_drops_the_delayed_open_of_its_side(
        self, shop: Shop, percent: str, second: str
    ) -> None:
        later = order("1", delaySeconds=60)
        shop.send(later, order("2", action="closeLong", percent=percent))
        assert told(shop.send(later)) == [second]

    def test_a_delayed_close_drops_when_it_is_due(self, shop: Shop) -> None:
        later = order("1", delaySeconds=60)
        shop.send(later, order("2", action="closeLong", percent="100", delaySeconds=0.01))
        shop.wait(0.02)
        assert told(shop.send(later)) == ["accepted"]

    def test_a_close_drops_nothing_that_came_after_it_or_is_due(self, shop: Shop) -> None:
        close, later = order("2", action="closeLong", percent="100"), order("1", delaySeconds=60)
        shop.send({**close, "delaySeconds": 0.01}, later)
        shop.wait(0.02)
        assert told(shop.send(later)) == ["duplicate"]
        receipts = shop.send(order("3", "b"), {**close, "connectorName": "b"})
        assert shop.posted()[1:] == [receipt.id for receipt in receipts]


@dataclass(frozen=True)
class Step:
    """What one call sends, with its window and keys."""

    signals: list[dict[str, object]]
    keys: list[str | None]
    window: float | None


SIGNALS = st.one_of(
    st.builds(
        order,
        st.sampled_from([None, "o1", "o2"]),
        st.sampled_from(["a", "b"]),
        action=st.sampled_from(["openLong", "closeLong", "buy"]),
        percent=st.sampled_from(["10", "100"]),
        delaySeconds=st.sampled_from([0, 0, 3600]),  # what falls due meanwhile depends on the machine
    ),
    st.builds(cancel, st.sampled_from(["o1", "o2"]), st.sampled_from(["a", "b"])),
    st.builds(cancel_all, st.sampled_from(["a", "b"]), delaySeconds=st.sampled_from([0, 3600])),
)


@st.composite
def steps(draw: st.DrawFn) -> Step:
    signals = draw(st.lists(SIGNALS, min_size=1, max_size=4))
    keys = draw(st.lists(st.sampled_from([None, None, "k"]), min_size=len(signals), max_size=len(signals)))
    return Step(signals, keys, draw(st.sampled_from([None, None, 0.002])))


@settings(
    max_examples=120,
    deadline=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(story=st.lists(steps(), min_size=1, max_size=6))
def test_whatever_is_sent(story: list[Step], client: redis.Redis, redis_url: str) -> None:
    chosen = load_settings(
        redis_url=redis_url, prefix=f"c{os.getpid()}-{next(_numbers)}:", lane_limit=3, dedup_window=DAY
    )
    memory, real = Memory(chosen), Real(client, chosen)
    names: dict[str | None, str] = {}
    lanes: dict[str | None, str | None] = {}
    with memory.producer, real.producer:
        for number, step in enumerate(story):
            answers = []
            for shop in (memory, real):
                receipts = shop.send(*step.signals, idempotency_key=step.keys, dedup_window=step.window)
                shop.wait(0.005)  # windows of less are over then
                names |= {receipt.id: f"{number}-{place}" for place, receipt in enumerate(receipts)}
                lanes |= {receipt.id: receipt.connector for receipt in receipts}
                answers.append([said(receipt, names) for receipt in receipts])
            assert answers[0] == answers[1]
        for lane in ("a", "b"):  # the order of posts of different connectors is nobody's promise
            posts = [[names[one] for one in shop.posted() if lanes[one] == lane] for shop in (memory, real)]
            assert posts[0] == posts[1]


def said(receipt: Receipt, names: dict[str | None, str]) -> tuple[object, ...]:
    """All that a receipt says, with names in place of ids."""
    first = receipt.first_id and names[receipt.first_id]
    return receipt.status, receipt.id and names[receipt.id], first, receipt.state, receipt.due_in
