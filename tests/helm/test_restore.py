"""What docs/kubernetes.md says of restoring Redis from a backup, seen with real servers and workers."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.stack import Server, cli, eventually
from producers import SignalProducer
from tests.conftest import Workers
from worker.lanes.redis import connect
from worker.lanes.register import Register
from worker.paper import PaperServer
from worker.settings import Settings

BEFORE, SINCE = "exit-before", "exit-since"
DURABLE = {"appendonly": "yes", "appendfsync": "always"}


def exit_of(account: str, order: str) -> dict[str, str]:
    token = "00000000-0000-4000-8000-000000000001"
    return {"connectorName": account, "connectorToken": token, "action": "closeLong", "clientOrderId": order}


class House:
    """One server, its workers, and what they post."""

    def __init__(self, server: Server, prefix: str, folder: Path, paper: PaperServer) -> None:
        self.url, self.prefix, self._paper = server.url, prefix, paper
        self._workers = Workers(server.url, prefix, folder)
        self.register = Register(connect(server.url), prefix=prefix)

    def send(self, account: str, order: str) -> tuple[str, str]:
        with SignalProducer(settings=Settings(redis_url=self.url, prefix=self.prefix)) as producer:
            receipt = producer.send(exit_of(account, order))
        return receipt.status.value, str(receipt.id)

    def work(self) -> None:
        self._workers.start(self._paper.webhook_url)

    def rest(self) -> None:
        self._workers.stop()

    def posted(self, order: str) -> int:
        return sum(one.client_order_id == order for one in self._paper.receipts)

    def do(self, *words: str) -> None:
        """A command of ``signal-worker``."""
        environment = {"SIGNALS_REDIS_URL": self.url, "SIGNALS_PREFIX": self.prefix}
        done = subprocess.run(
            cli("worker", *words), capture_output=True, text=True, timeout=30, env=environment, check=False
        )
        assert done.returncode == 0, done.stderr


@pytest.fixture
def backup(tmp_path: Path, prefix: str, paper: PaperServer) -> Path:
    """One exit waited when it was made; then that was posted, and another was taken and posted."""
    folder = tmp_path / "server"
    folder.mkdir()
    with Server(folder, **DURABLE) as server:
        house = House(server, prefix, tmp_path, paper)
        assert house.send("alpha", BEFORE)[0] == "accepted"
        shutil.copytree(folder, tmp_path / "backup")
        house.send("beta", SINCE)
        house.work()
        eventually(
            lambda: (house.posted(BEFORE), house.posted(SINCE)) == (1, 1), within=30, what="both are posted"
        )
        house.rest()
    return tmp_path / "backup"


@pytest.fixture
def restored(backup: Path, tmp_path: Path, prefix: str, paper: PaperServer) -> Iterator[House]:
    with Server(backup, **DURABLE) as server:
        house = House(server, prefix, tmp_path, paper)
        yield house
        house.rest()


def test_what_waited_is_posted_again_and_what_came_since_is_forgotten(restored: House) -> None:
    assert restored.send("beta", SINCE)[0] == "accepted", "its id is forgotten: no duplicate any more"
    restored.work()
    eventually(
        lambda: (restored.posted(BEFORE), restored.posted(SINCE)) == (2, 2),
        within=30,
        what="both are posted a second time",
    )


def test_a_pause_before_workers_start_and_a_drop_prevent_it(restored: House) -> None:
    """The steps of the page, in its order."""
    restored.do("pause", "--by", "test", "--why", "restored")
    restored.work()
    waiting = restored.register.holder("order", "alpha", BEFORE)
    assert waiting is not None
    restored.do("drop", waiting, "--by", "test", "--yes")
    restored.do("resume", "--by", "test")
    restored.send("alpha", "exit-after")
    eventually(lambda: restored.posted("exit-after") == 1, within=30, what="what is sent now is posted")
    assert (restored.posted(BEFORE), restored.posted(SINCE)) == (1, 1), "and nothing a second time"
