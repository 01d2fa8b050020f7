"""A house with everything real: server, worker processes, paper endpoint, producer."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest
import redis

from demo.stack import eventually
from producers import Receipt, SignalProducer
from tests.conftest import Workers
from worker.lanes.redis import connect
from worker.paper import Mischief, PaperServer
from worker.paper.receipts import Receipt as PaperReceipt
from worker.settings import Settings

ENTRIES = {"buy", "openLong", "openShort"}


class Ledger:
    """Reads how signals ended straight from Redis, past all of our own reading code."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self.client, self.prefix = client, prefix

    def record(self, signal_id: str | None) -> dict[str, str]:
        raw = self.client.hgetall(f"{self.prefix}signal:{signal_id}")
        return {name.decode(): value.decode() for name, value in raw.items()}

    def outcome(self, signal_id: str | None, within: float = 15.0) -> str:
        """How a signal ended; waits for it."""
        return eventually(
            lambda: self.record(signal_id).get("outcome", ""), within=within, what=f"{signal_id} ends"
        )

    def total(self, name: str) -> int:
        return int(self.client.hget(f"{self.prefix}totals", name) or 0)

    def count(self, name: str) -> int:
        return int(self.client.hget(f"{self.prefix}counts", name) or 0)

    def idle(self, within: float = 60.0) -> None:
        """Wait until nothing waits and nothing is delayed."""
        eventually(
            lambda: self.count("waiting") == 0 and self.count("delayed") == 0,
            within=within,
            what="everything has ended",
        )


class House:
    """One worker, one endpoint and one producer that the tests of a module share.

    Each test speaks for a connector of its own, so what others did does not disturb it.
    """

    _numbers = itertools.count(1)

    def __init__(self, paper: PaperServer, producer: SignalProducer, ledger: Ledger) -> None:
        self.paper, self.producer, self.ledger = paper, producer, ledger
        self.connector = ""

    def move_in(self, *mischief: str) -> None:
        """A new connector, and an endpoint that misbehaves by these rules from now on."""
        self.connector = f"acct-{next(self._numbers)}"
        self.misbehave(*mischief)

    def misbehave(self, *mischief: str) -> None:
        self.paper.mischief = Mischief.from_text(*mischief)

    def signal(self, action: str = "openLong", **fields: object) -> dict[str, object]:
        sized = {} if {"percent", "fixed"} & set(fields) or action not in ENTRIES else {"fixed": "1"}
        who = {"connectorName": self.connector, "connectorToken": "token-for-tests"}
        return {**who, "action": action, **sized, **fields}

    def send(self, action: str = "openLong", **fields: object) -> Receipt:
        return self.producer.send(self.signal(action, **fields))

    def outcome(self, receipt: Receipt) -> str:
        return self.ledger.outcome(receipt.id)

    def arrived(self) -> list[PaperReceipt]:
        """What reached the endpoint for this connector."""
        return [one for one in self.paper.receipts if one.connector == self.connector]


@pytest.fixture(scope="module")
def module_house(
    request: pytest.FixtureRequest, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """Built once per module, with the worker settings it names as SETTINGS."""
    prefix = f"{request.module.__name__}-{os.getpid()}:"
    fleet = Workers(redis_url, prefix, tmp_path_factory.mktemp("house"))
    with (
        PaperServer(seed=1) as paper,
        connect(redis_url) as client,
        SignalProducer(settings=Settings(redis_url=redis_url, prefix=prefix)) as producer,
    ):
        fleet.start(paper.webhook_url, **getattr(request.module, "SETTINGS", {}))
        yield House(paper, producer, Ledger(client, prefix))
        fleet.stop()


@pytest.fixture
def house(module_house: House) -> House:
    module_house.move_in()
    return module_house


@pytest.fixture
def ledger(client: redis.Redis, prefix: str) -> Ledger:
    return Ledger(client, prefix)


@pytest.fixture
def settings(redis_url: str, prefix: str) -> Settings:
    return Settings(redis_url=redis_url, prefix=prefix)


@pytest.fixture
def producer(settings: Settings) -> Iterator[SignalProducer]:
    with SignalProducer(settings=settings) as open_producer:
        yield open_producer
