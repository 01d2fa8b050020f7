"""An upgrade and its rollback rehearsed: an older build and this one side by side under load.

The older build is TEST_OLD_BUILD, a commit or tag of this repository; without it the latest tag before
this commit; without tags, what stood before the scripts of the queue changed last. A checkout without history
has none: then this very build takes both parts, and a test says so by being skipped.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from demo.stack import Process, eventually, fetch, free_port
from producers import QueueUnavailable, SignalProducer
from tests.acceptance.conftest import Ledger
from worker.paper import Mischief, PaperServer
from worker.settings import Settings

HOUSE = Path(__file__).resolve().parents[2]
SCRIPTS = "worker/lanes/lua"
CONNECTORS = 30
TOKEN = "token-for-tests"
SENDER = """
import itertools, sys, time
from producers import SignalProducer
with SignalProducer() as producer:
    for number in itertools.count():
        for account in range(30):
            who = {"connectorName": f"old-{account}", "connectorToken": "token-for-tests"}
            order = {"action": "openLong", "fixed": "1", "clientOrderId": f"n-{number}"}
            producer.send({**who, **order}, max_age=600)
            print(account, number, flush=True)
        time.sleep(0.05)
"""


def git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(HOUSE), *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def older_commit() -> str:
    """The commit of the older build; empty if there is no history."""
    if asked := os.environ.get("TEST_OLD_BUILD"):
        found = git("rev-parse", "--verify", f"{asked}^{{commit}}")
        assert found, f"TEST_OLD_BUILD={asked}: no such commit here; fetch the history, or name another"
        return found
    if tag := git("describe", "--tags", "--abbrev=0", "HEAD^"):
        return git("rev-parse", f"{tag}^{{commit}}")
    changed = git("log", "--first-parent", "-1", "--format=%H", "--", SCRIPTS)
    return git("rev-parse", "--verify", "--quiet", f"{changed}^") if changed else ""


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages of the older build."""
    commit = older_commit()
    if not commit:
        return HOUSE
    folder = tmp_path_factory.mktemp("older")
    packed = subprocess.run(
        ["git", "-C", str(HOUSE), "archive", commit, "worker", "producers"], capture_output=True, check=True
    )
    subprocess.run(["tar", "-x", "-C", str(folder)], input=packed.stdout, check=True)
    return folder


class Fleet:
    """Workers and senders of either build."""

    def __init__(self, redis_url: str, prefix: str, endpoint: str, folder: Path) -> None:
        self._settings = {
            "SIGNALS_REDIS_URL": redis_url,
            "SIGNALS_PREFIX": prefix,
            "SIGNALS_ENDPOINT_URL": endpoint,
            "SIGNALS_THREADS": "8",
        }
        self._folder = folder
        self._numbers = itertools.count()
        self.running: dict[Process, str] = {}

    def start(self, build: Path) -> Process:
        """A worker, ready."""
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        code = "from worker.cli import main; main()"
        process = self._run(build, code, "run", SIGNALS_METRICS_PORT=str(port))
        eventually(lambda: fetch(f"{address}/readyz")[0] == 200, within=60, what=f"ready: {process.output()}")
        self.running[process] = address
        return process

    def stop(self, process: Process) -> int:
        """End a worker as Kubernetes does; how many signals it has ended."""
        page = fetch(f"{self.running.pop(process)}/metrics")[1].splitlines()
        ended = sum(float(line.split()[-1]) for line in page if line.startswith("signals_outcomes_total{"))
        assert process.stop(within=40) == 0, process.output()[-2000:]
        return int(ended)

    def sender(self, build: Path) -> Process:
        return self._run(build, SENDER)

    def _run(self, build: Path, code: str, *words: str, **more: str) -> Process:
        # Not from the folder we are in, which holds this build.
        command = [sys.executable, "-P", "-c", code, *words]
        log = self._folder / f"{next(self._numbers)}.log"
        return Process(command, log, {**self._settings, **more, "PYTHONPATH": str(build)})


@pytest.fixture
def paper() -> Iterator[PaperServer]:
    with PaperServer(mischief=Mischief.from_text("latency:min=0.01,max=0.1")) as endpoint:
        yield endpoint


@pytest.fixture
def fleet(redis_url: str, prefix: str, paper: PaperServer, tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(redis_url, prefix, paper.webhook_url, tmp_path)
    yield made
    for process in made.running:
        process.kill()


class Sending:
    """This build's producer under way; every fifth signal is delayed."""

    def __init__(self, settings: Settings) -> None:
        self.sent: list[tuple[str, str]] = []
        self._settings = settings
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with SignalProducer(settings=self._settings) as producer:
            for number in itertools.count():
                batch = [self._order(account, number) for account in range(CONNECTORS)]
                with suppress(QueueUnavailable):
                    receipts = producer.send(batch, max_age=600)
                    self.sent += [
                        (str(one["connectorName"]), str(one["clientOrderId"]))
                        for one, receipt in zip(batch, receipts, strict=True)
                        if receipt.status == "accepted"
                    ]
                if self._end.wait(0.1):
                    return

    @staticmethod
    def _order(account: int, number: int) -> dict[str, object]:
        late = {"delaySeconds": 0.4} if number % 5 == 4 else {}
        who = {"connectorName": f"new-{account}", "connectorToken": TOKEN}
        return {**who, "action": "openLong", "fixed": "1", "clientOrderId": f"n-{number}", **late}

    def __enter__(self) -> Sending:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()


def test_there_is_an_older_build(older: Path) -> None:
    if older == HOUSE:
        pytest.skip("no history, so the rehearsal is a rolling restart: fetch it, or set TEST_OLD_BUILD")
    place = [sys.executable, "-P", "-c", "import worker.app, producers; print(worker.app.__file__)"]
    done = subprocess.run(
        place, env={**os.environ, "PYTHONPATH": str(older)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(str(older))


def test_an_upgrade_and_its_rollback_under_load(
    older: Path, fleet: Fleet, settings: Settings, ledger: Ledger, paper: PaperServer
) -> None:
    # given: a fleet of the older build, and senders of both
    first, second = fleet.start(older), fleet.start(older)
    done = {"older": 0, "newer": 0}

    def under_way() -> None:
        """Two hundred more signals are posted by whoever runs now."""
        seen = len(paper.receipts)
        eventually(lambda: len(paper.receipts) >= seen + 200, within=60, what="signals are posted")

    with Sending(settings) as sending, fleet.sender(older) as old_sender:
        under_way()
        # when: one by one, a new one is ready before an old one is told to stop
        third = fleet.start(HOUSE)
        under_way()
        done["older"] += fleet.stop(first)
        fourth = fleet.start(HOUSE)
        under_way()
        done["older"] += fleet.stop(second)
        under_way()
        # and back
        fifth = fleet.start(older)
        under_way()
        done["newer"] += fleet.stop(third)
        done["newer"] += fleet.stop(fourth)
        under_way()
        # and forth again
        sixth = fleet.start(HOUSE)
        under_way()
        old_sender.stop()
    printed = [line.split() for line in old_sender.output().splitlines() if line[:1].isdigit()]
    sent = {*sending.sent, *((f"old-{account}", f"n-{number}") for account, number in printed)}
    ledger.idle(within=120)
    done["older"] += fleet.stop(fifth)
    done["newer"] += fleet.stop(sixth)
    # then
    arrived = Counter((one.connector, str(one.client_order_id)) for one in paper.receipts)
    assert not [order for order, count in arrived.items() if count > 1], "nothing is doubled"
    assert not sent - arrived.keys(), "nothing is lost"
    # The old sender is told to stop in the midst of a call: what that took may not be printed.
    assert len(arrived.keys() - sent) <= 1
    assert ledger.total("accepted") == len(arrived)
    assert ledger.client.zcard(f"{ledger.prefix}dead") == 0
    assert ledger.client.exists(f"{ledger.prefix}leases") == 0
    assert min(done.values()) > 100, f"both builds have worked: {done}"
    # and: in order, but for what was delayed
    numbers = defaultdict(list)
    for one in paper.receipts:
        number = int(str(one.client_order_id).removeprefix("n-"))
        if one.connector.startswith("old-") or number % 5 != 4:
            numbers[one.connector].append(number)
    assert [connector for connector, seen in numbers.items() if seen != sorted(seen)] == []
