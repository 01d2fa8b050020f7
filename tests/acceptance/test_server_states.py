"""Redis is read-only, busy, full, broken or loading for a while: everybody waits, and then goes on."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import redis

from demo.stack import Process, eventually, free_port
from producers import SignalProducer
from tests.conftest import Workers
from tests.servers import RedisServer
from worker.paper import PaperServer
from worker.settings import Settings

BUSY = "while true do end"


class House:
    """A worker, a producer and a server that these tests spoil one after another."""

    def __init__(self, server: RedisServer, folder: Path, worker: Process, paper: PaperServer) -> None:
        self.server, self.folder, self.worker, self.paper = server, folder, worker, paper
        self.sent = 0

    def arrived(self) -> list[str | None]:
        return [one.client_order_id for one in self.paper.receipts]

    def order(self) -> dict[str, object]:
        self.sent += 1
        return {
            "connectorName": f"acct-{self.sent}",
            "connectorToken": "token-for-tests",
            "action": "openLong",
            "fixed": "1",
            "clientOrderId": f"n-{self.sent}",
        }


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("states")
    lines = ("busy-reply-threshold 100", "enable-debug-command yes", "key-load-delay 1500")
    with RedisServer(folder / "server", *lines) as server, PaperServer() as paper:
        fleet = Workers(server.url, "states:", folder)
        worker = fleet.start(paper.webhook_url)
        yield House(server, folder / "server", worker, paper)
        fleet.stop()


@contextmanager
def read_only(house: House) -> Iterator[None]:
    with house.server.client as client:
        client.replicaof("127.0.0.1", str(free_port()))
        try:
            yield
        finally:
            client.replicaof("NO", "ONE")


@contextmanager
def busy(house: House) -> Iterator[None]:
    def hold_up() -> None:
        with suppress(redis.ResponseError), redis.Redis(port=house.server.port) as other:
            other.eval(BUSY, 0)

    thread = threading.Thread(target=hold_up)
    thread.start()
    eventually(lambda: _says_busy(house), within=5, what="it is busy")
    try:
        yield
    finally:
        with house.server.client as client:
            client.script_kill()
        thread.join(10)


def _says_busy(house: House) -> bool:
    try:
        with house.server.client as client:
            client.ping()
    except redis.RedisError as error:
        return "BUSY" in str(error)
    return False


@contextmanager
def full(house: House) -> Iterator[None]:
    with house.server.client as client:
        client.config_set("maxmemory", 1)
        try:
            yield
        finally:
            client.config_set("maxmemory", 0)


@contextmanager
def broken_disk(house: House) -> Iterator[None]:
    in_the_way = house.folder / "dump.rdb"
    (in_the_way / "x").mkdir(parents=True)
    with house.server.client as client:
        client.config_set("save", "3600 1")
        client.bgsave()
        eventually(
            lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", within=10, what="it fails"
        )
        try:
            yield
        finally:
            shutil.rmtree(in_the_way)
            client.config_set("save", "")
            client.bgsave()


@contextmanager
def loading(house: House) -> Iterator[None]:
    with house.server.client as client:
        client.config_set("loading-process-events-interval-bytes", 1024)
        pipeline = client.pipeline(transaction=False)
        for number in range(2000):
            pipeline.set(f"ballast:{number}", 1)
        pipeline.execute()
    house.server.kill()
    house.server.start(wait=False)
    yield


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (read_only, "read only replica"),
        (busy, "BUSY"),
        (full, ""),  # only who brings something notices
        (broken_disk, "MISCONF"),
        (loading, "loading"),
    ],
    ids=["read only", "busy", "full", "broken disk", "loading"],
)
def test_a_state_that_passes(house: House, state: Callable[[House], object], word: str) -> None:
    settings = Settings(redis_url=house.server.url, prefix="states:", redis_patience=30)
    seen, order = house.worker.output().count(word), house.order()
    with SignalProducer(settings=settings) as producer, ThreadPoolExecutor(1) as pool:
        with state(house):  # type: ignore[attr-defined]
            receipt = pool.submit(producer.send, order)
            if word:
                eventually(
                    lambda: house.worker.output().count(word) > seen, within=10, what="the worker notices"
                )
            if state is not loading:  # that one ends by itself
                with suppress(TimeoutError):
                    receipt.result(1.0)
                assert not receipt.done(), "the producer waits"
        assert receipt.result(20).status == "accepted"
        eventually(lambda: order["clientOrderId"] in house.arrived(), within=10, what="it is posted")
    assert house.worker.exit_code is None
    assert len(house.arrived()) == len(set(house.arrived()))
