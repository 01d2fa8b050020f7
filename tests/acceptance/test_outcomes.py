"""Every row of what an attempt tells, against an endpoint that does just that."""

from __future__ import annotations

import socket
from dataclasses import dataclass

import pytest

from demo.stack import eventually, free_port
from producers import SignalProducer
from tests.acceptance.conftest import House, Ledger
from tests.conftest import Workers
from worker.paper import PaperServer

SETTINGS = {
    "deadline": 1.0,
    "connect_timeout": 0.5,
    "backoff_base": 0.05,
    "backoff_cap": 0.1,
    "max_attempts": 3,
    "resend_limit": 2,
    "sweep_interval": 0.2,
}


@dataclass(frozen=True)
class Row:
    """What the endpoint does, what becomes of an entry, how often it arrives, whether its id is free."""

    mischief: str
    outcome: str
    posts: int
    freed: bool
    dead: bool = True


ENTRY_ROWS = [
    Row("latency:min=0,max=0.01", "accepted", 1, freed=False, dead=False),
    Row("body:body=fine", "unknown", 1, freed=False),
    Row("body:body=", "unknown", 1, freed=False),
    Row("400", "rejected", 1, freed=True),
    Row("401", "rejected", 1, freed=True),
    Row("404", "rejected", 1, freed=True),
    Row("422", "rejected", 1, freed=True),
    Row("redirect", "rejected", 1, freed=True),
    Row("redirect:status=301", "rejected", 1, freed=True),
    Row("429:retry_after=0", "unsent", 3, freed=True),
    Row("425", "unsent", 3, freed=True),
    Row("503", "unsent", 3, freed=True),
    Row("503:first=2", "accepted", 3, freed=False, dead=False),
    Row("408", "unknown", 1, freed=False),
    Row("500", "unknown", 1, freed=False),
    Row("502", "unknown", 1, freed=False),
    Row("504", "unknown", 1, freed=False),
    Row("hang:seconds=20", "unknown", 1, freed=False),
    Row("reset", "unknown", 1, freed=False),
    Row("reset_early:first=1", "unknown", 1, freed=False),
    Row("huge", "unknown", 1, freed=False),
    Row("drip:every=0.3", "unknown", 1, freed=False),
]


@pytest.mark.parametrize("row", ENTRY_ROWS, ids=lambda row: row.mischief)
def test_entry(row: Row, house: House) -> None:
    house.misbehave(row.mischief)
    before = len(house.paper.receipts)
    receipt = house.send(clientOrderId="o-1")
    assert house.outcome(receipt) == row.outcome
    assert len(house.paper.receipts) - before == row.posts
    client, prefix = house.ledger.client, house.ledger.prefix
    assert (client.zscore(f"{prefix}dead", str(receipt.id)) is not None) is row.dead
    assert client.exists(f"{prefix}body:{receipt.id}") == row.dead, "a dead letter keeps its body"
    assert house.send(clientOrderId="o-1").status == ("accepted" if row.freed else "duplicate")
    house.ledger.idle()  # so that nothing arrives in the middle of the next row


@pytest.mark.parametrize(
    ("action", "fields", "posts"),
    [
        ("closeLong", {}, 3),
        ("closeShort", {"percent": "100"}, 3),
        ("sell", {}, 3),
        ("cancelAll", {}, 3),
        ("cancel", {"clientOrderId": "c-1"}, 3),
        ("closeLong", {"percent": "50"}, 1),
        ("sell", {"fixed": "1"}, 1),
        ("buy", {"fixed": "1"}, 1),
    ],
)
def test_after_unknown_only_what_is_harmless_is_sent_again(
    action: str, fields: dict[str, str], posts: int, house: House
) -> None:
    house.misbehave("reset")
    assert house.outcome(house.send(action, **fields)) == "unknown"
    assert len(house.arrived()) == posts


def test_a_full_exit_whose_answer_was_lost_goes_again_and_is_accepted(house: House) -> None:
    house.misbehave("reset:first=1")
    receipt = house.send("closeLong")
    assert house.outcome(receipt) == "accepted"
    assert house.ledger.record(receipt.id)["attempts"] == "2"


def test_held_does_not_block_the_lane(house: House) -> None:
    house.misbehave("hang:nth=1,seconds=20")
    first, second = house.send(clientOrderId="o-1"), house.send(clientOrderId="o-2")
    assert house.outcome(first) == "unknown"
    assert house.outcome(second) == "accepted"


def test_a_connection_closed_while_idle_is_noticed(house: House) -> None:
    house.misbehave("close")
    for number in range(20):
        assert house.outcome(house.send(clientOrderId=f"o-{number}")) == "accepted"
    assert len(house.arrived()) == 20


def test_retry_after_is_obeyed(house: House) -> None:
    house.misbehave("429:first=1,retry_after=1")
    assert house.outcome(house.send()) == "accepted"
    refused, taken = house.arrived()
    assert refused.answered_mono is not None
    assert taken.received_mono - refused.answered_mono >= 1.0


def entry(client_order_id: str = "o-1") -> dict[str, object]:
    return {
        "connectorName": "acct",
        "connectorToken": "token-for-tests",
        "action": "openLong",
        "fixed": "1",
        "clientOrderId": client_order_id,
    }


def test_nobody_listens(workers: Workers, producer: SignalProducer, ledger: Ledger) -> None:
    workers.start(f"http://127.0.0.1:{free_port()}/trading-signal/webhook", **SETTINGS)
    receipt = producer.send(entry())
    assert ledger.outcome(receipt.id) == "unsent"
    assert ledger.record(receipt.id)["why"] == "connection refused"


def test_no_such_host(workers: Workers, producer: SignalProducer, ledger: Ledger) -> None:
    workers.start("http://nowhere.invalid/trading-signal/webhook", **SETTINGS)
    assert ledger.outcome(producer.send(entry()).id) == "unsent"


def test_a_host_that_never_completes_a_connection(
    workers: Workers, producer: SignalProducer, ledger: Ledger
) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        fillers = [socket.socket() for _ in range(4)]  # the queue of connections is full: SYNs get no answer
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(address)
            workers.start(f"http://127.0.0.1:{address[1]}/trading-signal/webhook", **SETTINGS)
            assert ledger.outcome(producer.send(entry()).id, within=30) == "unsent"
        finally:
            for filler in fillers:
                filler.close()


def test_no_tls_where_tls_is_expected(
    paper: PaperServer, workers: Workers, producer: SignalProducer, ledger: Ledger
) -> None:
    workers.start(paper.webhook_url.replace("http://", "https://"), **SETTINGS)
    assert ledger.outcome(producer.send(entry()).id) == "unsent"
    assert paper.receipts == []


def test_what_waited_too_long_or_was_tampered_with_is_not_posted(
    paper: PaperServer, workers: Workers, producer: SignalProducer, ledger: Ledger
) -> None:
    # given: no worker yet
    stale = producer.send(entry("o-1"), max_age=0.2)
    spoilt = producer.send([entry("o-2"), entry("o-3"), entry("o-4")])
    for receipt, body in zip(
        spoilt, [b"\xff{", b'{"connectorName":"other","action":"buy"}', b""], strict=True
    ):
        ledger.client.set(f"{ledger.prefix}body:{receipt.id}", body)
    eventually(
        lambda: float(ledger.record(stale.id)["expires"]) < ledger.client.time()[0] * 1000,
        within=5,
        what="it is stale",
    )
    # when
    workers.start(paper.webhook_url, **SETTINGS)
    # then
    assert ledger.outcome(stale.id) == "expired"
    assert [ledger.outcome(receipt.id) for receipt in spoilt] == ["invalid"] * 3
    assert paper.receipts == []
    assert producer.send(entry("o-1")).status == "accepted", "its id is free again"
