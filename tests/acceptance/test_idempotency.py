"""The same order is posted once, a different one under its name never."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from demo.stack import eventually
from tests.acceptance.conftest import House


def test_twenty_threads_one_post(house: House) -> None:
    start = Barrier(20)

    def send(_: int) -> str:
        start.wait()
        return str(house.send(clientOrderId="once-1").status)

    with ThreadPoolExecutor(20) as pool:
        statuses = sorted(pool.map(send, range(20)))
    assert statuses == ["accepted"] + ["duplicate"] * 19
    house.ledger.idle()
    assert len(house.arrived()) == 1


def test_a_different_order_under_the_same_id_is_refused(house: House) -> None:
    first = house.send(clientOrderId="c-1")
    other = house.send(clientOrderId="c-1", fixed="2")
    assert (other.status, other.first_id) == ("conflict", first.id)
    same = house.send(clientOrderId="c-1", log="another text", connectorToken="another-token", fixed="1.0")
    assert (same.status, same.first_id) == ("duplicate", first.id)
    house.ledger.idle()
    assert [one.body["fixed"] for one in house.arrived()] == ["1"]


def test_a_cancel_of_the_id_is_posted_and_again(house: House) -> None:
    house.outcome(house.send(clientOrderId="c-2", limit="1"))
    assert [house.send("cancel", clientOrderId="c-2").status for _ in range(2)] == ["accepted"] * 2
    house.ledger.idle()
    assert [one.action for one in house.arrived()] == ["openLong", "cancel", "cancel"]
    assert not house.paper.book.account(house.connector).open_orders


def test_when_the_window_is_over_it_is_posted_again(house: House) -> None:
    def send() -> object:
        return house.producer.send(house.signal(clientOrderId="w-1"), dedup_window=0.5)

    first = house.producer.send(house.signal(clientOrderId="w-1"), dedup_window=0.5)
    assert house.outcome(first) == "accepted"
    eventually(lambda: getattr(send(), "status", "") == "accepted", within=5, what="the window is over")
    house.ledger.idle()
    assert len(house.arrived()) == 2
    assert house.paper.book.account(house.connector).doubled == 1, "the endpoint does not protect us"


def test_after_a_rejection_the_id_may_be_used_again(house: House) -> None:
    house.misbehave("400:first=1")
    assert house.outcome(house.send(clientOrderId="r-1")) == "rejected"
    assert house.outcome(house.send(clientOrderId="r-1", fixed="2")) == "accepted"
    assert [one.status for one in house.arrived()] == [400, 200]


def test_an_idempotency_key_protects_what_has_no_id(house: House) -> None:
    statuses = [house.producer.send(house.signal(), idempotency_key="k-1").status for _ in range(3)]
    assert statuses == ["accepted", "duplicate", "duplicate"]
    assert [house.send().status for _ in range(2)] == ["accepted"] * 2
    house.ledger.idle()
    assert len(house.arrived()) == 3
