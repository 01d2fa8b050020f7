"""Three sentinels, and the primary is killed under load: everything goes on at the new one."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from pathlib import Path

from demo.stack import eventually
from producers import SignalProducer
from tests.acceptance.conftest import Ledger
from tests.conftest import Workers
from tests.servers import Trio
from worker.doctor import examine
from worker.paper import PaperServer
from worker.settings import Settings

SIGNALS, CONNECTORS, BATCH = 400, 20, 20


def order(number: int) -> dict[str, object]:
    return {
        "connectorName": f"acct-{number % CONNECTORS}",
        "connectorToken": "token-for-tests",
        "action": "openLong",
        "fixed": "1",
        "clientOrderId": f"n-{number:05}",
    }


def test_a_failover(workers: Workers, prefix: str, tmp_path: Path) -> None:
    with Trio(tmp_path / "trio") as trio, PaperServer(latency=(0.005, 0.03)) as paper:
        safe = {"durability": "replicas", "durability_timeout": 0.5}
        for _ in range(2):
            workers.start(paper.webhook_url, redis_url=trio.url, entry_expiry=600, **safe)
        settings = Settings(redis_url=trio.url, prefix=prefix, redis_patience=50, **safe)
        assert {one.level for one in examine(settings) if one.subject != "endpoint"} == {"ok"}
        statuses: Counter[str] = Counter()
        half_way = threading.Event()

        def send() -> None:
            with SignalProducer(settings=settings) as producer:
                for first in range(0, SIGNALS, BATCH):
                    receipts = producer.send([order(number) for number in range(first, first + BATCH)])
                    statuses.update(str(one.status) for one in receipts)
                    if first >= SIGNALS // 2:
                        half_way.set()

        # given: signals come in and go out
        sender = threading.Thread(target=send)
        sender.start()
        eventually(lambda: len(paper.receipts) > SIGNALS // 8, within=20, what="some have arrived")
        # when: the primary dies, and comes back later
        trio.primary.kill()
        eventually(lambda: _role(trio) == "master", within=20, what="the replica is made the primary")
        at_failover = len(paper.receipts)
        trio.primary.start()
        with trio.primary.client as old:  # the sentinels would do so too, but only after 8 s
            old.replicaof("127.0.0.1", str(trio.replica.port))
        # then
        sender.join(60)
        assert statuses == {"accepted": SIGNALS}
        assert at_failover < SIGNALS, "it was under load"
        # Not through the sentinels: a busy machine makes them doubt for a moment.
        with trio.replica.client as client:
            ledger = Ledger(client, prefix)
            ledger.idle(within=60)
            assert ledger.total("accepted") == SIGNALS
        arrived = Counter((one.connector, one.client_order_id) for one in paper.receipts)
        assert len(arrived) == SIGNALS, "nothing is missing"
        assert max(arrived.values()) == 1, "nothing is doubled"
        by_lane: dict[str | None, list[str]] = defaultdict(list)
        for one in paper.receipts:
            by_lane[one.connector].append(str(one.client_order_id))
        assert all(ids == sorted(ids) for ids in by_lane.values()), "order is kept"
        for process in workers.running:
            assert process.stop() == 0
        for secret in (trio.PASSWORD, "p%40ss", trio.SENTINEL_PASSWORD, "watch%3A"):
            assert secret not in workers.logs()


def test_trouble_with_sentinels_is_one_line(tmp_path: Path) -> None:
    with Trio(tmp_path / "trio") as trio:
        for url, words in (
            (trio.url.replace("/trading/", "/tradings/"), "knows of a primary 'tradings' that is up (0 of 3"),
            (trio.url.replace("watch%3Ame", "nonsense"), "3 of 3 did not answer, they refuse the password"),
            (trio.url.replace("p%40ss", "nonsense"), "refuses the user or password"),
        ):
            (bad,) = (one.text for one in examine(Settings(redis_url=url)) if one.subject == "redis")
            assert words in bad
            assert "nonsense" not in bad


def _role(trio: Trio) -> str:
    with trio.replica.client as client:
        return str(client.info("replication")["role"])
