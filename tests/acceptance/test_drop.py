"""People drop signals while workers post: each is posted or dropped, and who dropped it is told which."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import redis

from demo.stack import eventually
from producers import SignalProducer
from tests.acceptance.conftest import Ledger
from tests.conftest import Workers
from worker.lanes import Lanes
from worker.paper import Mischief, PaperServer

SIGNALS, CONNECTORS, PEOPLE = 900, 30, 3


def order(number: int) -> dict[str, object]:
    return {
        "connectorName": f"acct-{number % CONNECTORS}",
        "connectorToken": "token-for-tests",
        "action": "openLong",
        "fixed": "1",
        "clientOrderId": f"n-{number}",
        **({"delaySeconds": number % 7 / 10} if number % 2 else {}),
    }


def test_each_is_posted_or_dropped(
    workers: Workers, producer: SignalProducer, ledger: Ledger, client: redis.Redis, prefix: str
) -> None:
    mischief = Mischief.from_text("503:first=40,retry_after=1")
    with PaperServer(latency=(0.005, 0.03), mischief=mischief) as paper:
        for _ in range(2):
            workers.start(paper.webhook_url, retry_rate=0, circuit_connectors=0)
        receipts = producer.send([order(number) for number in range(SIGNALS)], max_age=600)
        names = {str(one.id): f"n-{number}" for number, one in enumerate(receipts)}

        eventually(lambda: len(paper.receipts) > 60, within=15, what="they are busy")

        # when: three people drop what they like, often the same, without telling each other
        def drop_some(person: int) -> list[tuple[str, str]]:
            lanes, dice = Lanes(client, prefix=prefix), random.Random(person)
            answers: list[tuple[str, str]] = []
            for _ in range(20):
                ids = dice.sample(list(names), 8)
                answers += zip(ids, lanes.drop(ids, by=f"person-{person}").results, strict=True)
            return answers

        with ThreadPoolExecutor(PEOPLE) as pool:
            told = [answer for answers in pool.map(drop_some, range(PEOPLE)) for answer in answers]
        ledger.idle(within=60)

        # then
        dropped = {signal_id for signal_id, status in told if status == "done"}
        arrived = Counter(str(one.client_order_id) for one in paper.receipts if one.placed)
        assert {status for _, status in told} <= {"done", "sending", "gone"}
        assert dropped
        assert arrived
        assert max(arrived.values()) == 1
        assert {names[one] for one in dropped}.isdisjoint(arrived)
        assert len(dropped) + len(arrived) == SIGNALS
        assert {ledger.record(one)["outcome"] for one in dropped} == {"cancelled"}
        assert (ledger.total("cancelled"), ledger.total("accepted")) == (len(dropped), len(arrived))
        assert (ledger.count("waiting"), ledger.count("delayed")) == (0, 0)
        assert client.xlen(f"{prefix}acts") == len(dropped)
        for process in workers.running:
            assert process.stop() == 0
