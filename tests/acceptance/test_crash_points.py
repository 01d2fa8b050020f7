"""A process dies by SIGKILL between any two steps that matter; another takes over.

Every signal still ends in exactly one outcome, no entry is posted twice, order holds. What was in flight may
become unknown, and only where the process died between the note “sending” and the written outcome.
docs/crash-points.md tells for each point what could break there.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from demo.stack import eventually
from producers import Receipt, SignalProducer
from producers.producer import CALL
from tests.acceptance.conftest import Ledger
from tests.conftest import Workers
from worker import crash
from worker.lanes.redis import connect
from worker.paper import Mischief, PaperServer
from worker.records import Outcome
from worker.settings import Settings

LEASE = 6.0
SETTINGS = {"deadline": 1.0, "lease": LEASE, "sweep_interval": 0.3, "patience": 1.0, "entry_expiry": 600}
LANES, EACH = 6, 4
AT_ONCE = 4
"""Cases that are played at the same time."""
SLOW = "latency:min=0.5,max=0.5"
MANY = 1200
"""Signals of a producer that sends them in batches."""


@dataclass(frozen=True, eq=False)
class Case:
    """``unknown``: whether signals in flight may end so. ``doubt``: whether they may also have arrived."""

    point: str
    unknown: bool
    mischief: str = "latency:min=0,max=0.01"
    passes: int = 0
    delay: float = 0.0
    told_to_stop: bool = False
    settings: Mapping[str, object] = field(default_factory=dict)
    log: str = ""


CASES = [
    Case("received", unknown=False),
    Case("rung", unknown=False),
    Case("checked-out", unknown=True),
    Case("connected", unknown=True, passes=7),
    Case("half-sent", unknown=True, passes=7, log="long " * 1000),  # else all goes out at once
    Case("sent", unknown=True, passes=7),
    Case("answered", unknown=True, passes=5),
    Case("settled", unknown=True, passes=3),
    Case("deferred", unknown=True, mischief="503:first=3"),
    Case("arming", unknown=True, mischief="503:first=3"),
    Case("ringing", unknown=True, passes=2, settings={"quantum_signals": 1}),
    Case("woken", unknown=False, delay=0.5),
    # Two POSTs in flight, and other lanes waiting for room:
    *(
        Case(point, unknown, SLOW, told_to_stop=True, settings={"threads": 2})
        for point, unknown in (("stopping", True), ("turned-away", True), ("stopped", False))
    ),
]


def order(lane: int, number: int, delay: float = 0.0, **fields: object) -> dict[str, object]:
    return {
        "connectorName": f"acct-{lane}",
        "connectorToken": "token-for-tests",
        "action": "openLong",
        "fixed": "1",
        "clientOrderId": f"n-{number}",
        **({"delaySeconds": delay} if delay else {}),
        **fields,
    }


def check(paper: PaperServer, ledger: Ledger, receipts: list[Receipt], *, unknown: bool) -> None:
    """Hold what the sender was told, what arrived and what the ledger says against each other."""
    arrived = [one for one in paper.receipts if one.complete and one.status != 503]
    times = Counter((one.connector, one.client_order_id) for one in arrived)
    assert max(times.values()) == 1, "no entry arrives twice"
    by_lane: dict[str | None, list[str]] = defaultdict(list)
    for one in arrived:
        by_lane[one.connector].append(str(one.client_order_id))
    assert all(ids == sorted(ids) for ids in by_lane.values()), "order holds"
    outcomes = {receipt.id: ledger.record(receipt.id).get("outcome") for receipt in receipts}
    assert set(outcomes.values()) <= {"accepted", "unknown"}, "every signal has one outcome"
    doubtful = sum(outcome == "unknown" for outcome in outcomes.values())
    assert doubtful <= (LANES if unknown else 0), "at most what was in flight is unknown"
    assert len(arrived) >= len(receipts) - doubtful, "what is called accepted did arrive"
    assert sum(ledger.total(outcome) for outcome in Outcome) == len(receipts)


@pytest.fixture(scope="module")
def deaths(
    request: pytest.FixtureRequest, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Case, Future[None]]]:
    """The chosen cases, several at a time: most of their time they wait for a lease to run out."""
    chosen: list[Case] = [
        item.callspec.params["case"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.function is test_a_worker_dies
    ]

    def live(case: Case) -> None:
        prefix = f"{case.point}-{os.getpid()}:"
        fleet = Workers(redis_url, prefix, tmp_path_factory.mktemp(case.point))
        settings = Settings(redis_url=redis_url, prefix=prefix)
        with connect(redis_url) as client, SignalProducer(settings=settings) as producer:
            try:
                live_and_die(case, fleet, producer, Ledger(client, prefix))
            finally:
                fleet.stop()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {case: pool.submit(live, case) for case in chosen}


def live_and_die(case: Case, workers: Workers, producer: SignalProducer, ledger: Ledger) -> None:
    assert case.point in crash.POINTS
    with PaperServer(mischief=Mischief.from_text(case.mischief)) as paper:
        # given: a worker that will die at this point
        crash_point = f"{case.point}:{case.passes}"
        doomed = workers.start(paper.webhook_url, crash_point=crash_point, **{**SETTINGS, **case.settings})
        receipts = producer.send(
            [order(lane, number, case.delay, log=case.log) for number in range(EACH) for lane in range(LANES)]
        )
        if case.told_to_stop:
            paper.wait_for_receipts(2)
            doomed.send(signal.SIGTERM)
        assert doomed.wait(15) == -signal.SIGKILL
        # when: another takes over
        died = time.monotonic()
        workers.start(paper.webhook_url, **SETTINGS)
        ledger.idle(within=30)
        # then
        assert time.monotonic() - died < LEASE * 1.5 + 10.0, "everything else goes out soon after the lease"
        check(paper, ledger, receipts, unknown=case.unknown)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.point)
def test_a_worker_dies(case: Case, deaths: dict[Case, Future[None]]) -> None:
    deaths[case].result()


def test_a_sweeping_worker_dies(workers: Workers, producer: SignalProducer, ledger: Ledger) -> None:
    with PaperServer() as paper:
        # given: rings that nobody got
        receipts = producer.send([order(lane, 0) for lane in range(LANES)])
        ledger.client.delete(f"{ledger.prefix}rings")
        doomed = workers.start(paper.webhook_url, crash_point="swept", wait=False, **SETTINGS)
        assert doomed.wait(15) == -signal.SIGKILL
        workers.start(paper.webhook_url, **SETTINGS)
        ledger.idle(within=30)
        check(paper, ledger, receipts, unknown=False)


def run_to_death(
    point: str, code: str, *arguments: str, passes: int = 0, text: str = "", **settings: str
) -> None:
    """Run ``code`` in a process of its own that dies at ``point``; ``text`` is its standard input."""
    script = f"from worker import crash; crash.arm({point!r}, {passes}); {code}"
    environment = {**os.environ, **settings}
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, check=False, timeout=30, env=environment, input=text.encode())
    assert done.returncode == -signal.SIGKILL


def many() -> list[dict[str, object]]:
    return [order(number % (LANES * 10), number) for number in range(MANY)]


SEND = "import sys; from producers import SignalProducer; SignalProducer().send(sys.stdin.read())"


@pytest.mark.parametrize(("passes", "taken"), [(0, CALL), (1, CALL * 2)])
def test_a_producer_dies_between_its_batches(
    passes: int, taken: int, workers: Workers, ledger: Ledger, producer: SignalProducer, redis_url: str,
    prefix: str,
) -> None:  # fmt: skip
    with PaperServer() as paper:
        # given: it died after some signals were taken
        environment = {"SIGNALS_REDIS_URL": redis_url, "SIGNALS_PREFIX": prefix}
        run_to_death("admitted", SEND, text=json.dumps(many()), passes=passes, **environment)
        assert ledger.count("waiting") == taken
        # when: all are sent again, as the sender cannot know
        statuses = Counter(str(one.status) for one in producer.send(many()))
        assert statuses == {"duplicate": taken, "accepted": MANY - taken}
        workers.start(paper.webhook_url, **SETTINGS)
        ledger.idle(within=20)
        # then
        arrived = Counter((one.connector, one.client_order_id) for one in paper.receipts)
        assert len(arrived) == arrived.total() == MANY


def test_who_dies_as_soon_as_its_signals_are_taken_has_rung(
    workers: Workers, ledger: Ledger, redis_url: str, prefix: str
) -> None:
    with PaperServer() as paper:
        # given: workers that would wait for ever until they take a ring for lost
        workers.start(paper.webhook_url, **{**SETTINGS, "patience": 600})
        # when
        environment = {"SIGNALS_REDIS_URL": redis_url, "SIGNALS_PREFIX": prefix}
        run_to_death("admitted", SEND, text=json.dumps(many()[:LANES]), **environment)
        # then
        ledger.idle(within=20)
        assert len(paper.receipts) == LANES


def test_a_producer_dies_before_its_countdown_is_sent(
    workers: Workers, ledger: Ledger, redis_url: str, prefix: str
) -> None:
    with PaperServer() as paper:
        workers.start(paper.webhook_url, **SETTINGS)
        environment = {"SIGNALS_REDIS_URL": redis_url, "SIGNALS_PREFIX": prefix}
        delayed = json.dumps([order(lane, 0, 1.0) for lane in range(LANES)])
        run_to_death("arming", SEND, text=delayed, **environment)
        assert ledger.count("delayed") == LANES
        ledger.idle(within=5)
        assert len(paper.receipts) == LANES


@pytest.mark.parametrize(
    ("point", "passes"),
    [("load-begun", 0), ("load-taken", 0), ("load-taken", 1), ("load-set-aside", 1)],
)
def test_a_load_dies_and_is_gone_on_with(
    point: str, passes: int, ledger: Ledger, redis_url: str, prefix: str, tmp_path: Path
) -> None:
    # given: a file with a bad line here and there, without ids of its own
    path = tmp_path / "signals.jsonl"
    bad = set(range(7, MANY, 100))
    lines = [
        {**signal, "clientOrderId": None, **({"perecnt": "1"} if number in bad else {})}
        for number, signal in enumerate(many(), 1)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    environment = {"SIGNALS_REDIS_URL": redis_url, "SIGNALS_PREFIX": prefix}
    load = "from producers.cli import main; main()"
    run_to_death(point, load, "load", str(path), passes=passes, **environment)
    # when: the same command is run again
    done = subprocess.run(
        [sys.executable, "-c", load, "load", str(path), "--output", "json"],
        check=False, timeout=30, env={**os.environ, **environment}, capture_output=True, text=True,
    )  # fmt: skip
    # then: every line is taken or set aside, once
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["lines"] == MANY
    assert ledger.total("admitted") == ledger.count("waiting") == MANY - len(bad)
    aside = path.with_name("signals.jsonl.rejected.jsonl").read_text().splitlines()
    assert [json.loads(line)["line"] for line in aside] == sorted(bad)


@pytest.mark.parametrize(
    ("act", "outcome", "posts"),
    [("resend", "accepted", 2), ("accept", "accepted", 1), ("discard", "discarded", 1)],
)
def test_a_person_dies_while_deciding(
    act: str, outcome: str, posts: int, workers: Workers, ledger: Ledger, producer: SignalProducer,
    redis_url: str, prefix: str,
) -> None:  # fmt: skip
    with PaperServer(mischief=Mischief.from_text("reset:first=1")) as paper:
        workers.start(paper.webhook_url, **SETTINGS)
        receipt = producer.send(order(0, 0))
        assert ledger.outcome(receipt.id) == "unknown"
        # when: the decision was written, and who took it never heard so
        environment = {"SIGNALS_REDIS_URL": redis_url, "SIGNALS_PREFIX": prefix}
        command = ["dead", act, str(receipt.id), "--yes", "--by", "ann"]
        run_to_death("resolved", "from worker.cli import main; main()", *command, **environment)
        # then: it holds
        ledger.idle(within=15)
        eventually(lambda: ledger.record(receipt.id).get("outcome") == outcome, within=5, what="it holds")
        # and taking it again changes nothing
        again = subprocess.run(
            [sys.executable, "-c", "from worker.cli import main; main()", *command],
            env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
        assert again.returncode == 1
        assert "no dead letter (any more)" in again.stderr
        assert ledger.outcome(receipt.id) == outcome
        assert len(paper.receipts) == posts
        assert ledger.count("dead:unknown") == 0


def test_a_person_dies_while_dropping(
    workers: Workers, ledger: Ledger, producer: SignalProducer, redis_url: str, prefix: str
) -> None:
    with PaperServer(mischief=Mischief.from_text("503:retry_after=50,clientOrderId=n-0")) as paper:
        workers.start(paper.webhook_url, **SETTINGS)
        first, following = producer.send([order(0, 0), order(0, 1)])
        eventually(lambda: ledger.record(first.id).get("attempts") == "1", within=15, what="it is tried")
        eventually(lambda: ledger.record(first.id)["state"] == "waiting", within=15, what="and put back")
        # when: the lane was freed of the head it waited for, and nobody was rung
        environment = {"SIGNALS_REDIS_URL": redis_url, "SIGNALS_PREFIX": prefix}
        command = ["drop", str(first.id), "--yes", "--by", "ann"]
        run_to_death("resolved", "from worker.cli import main; main()", *command, **environment)
        # then: it holds, what follows goes out, and dropping it again is told to be done
        ledger.idle(within=15)
        again = subprocess.run(
            [sys.executable, "-c", "from worker.cli import main; main()", *command],
            env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
        assert again.stdout == "drop: 1 of 1 signals\n"
        assert ledger.outcome(first.id) == "cancelled"
        assert ledger.outcome(following.id) == "accepted"


def test_every_point_is_told_of_and_tried() -> None:
    table = Path("docs/crash-points.md").read_text()
    this = Path(__file__).read_text().split("def test_every_point")[0]
    for point in crash.POINTS:
        assert f"| `{point}` |" in table
        assert f'"{point}"' in this
