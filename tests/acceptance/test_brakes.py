"""Pauses, rates and the circuit with everything real: obeyed by every worker, and over restarts."""

from __future__ import annotations

import subprocess
from pathlib import Path

from demo.stack import Server, cli, eventually, fetch
from producers import SignalProducer
from tests.acceptance.conftest import Ledger
from tests.conftest import Workers
from worker.lanes.redis import connect
from worker.paper import Mischief, PaperServer
from worker.settings import Settings


def order(connector: str, action: str = "openLong", **fields: object) -> dict[str, object]:
    who = {"connectorName": connector, "connectorToken": "token-for-tests"}
    sized = {"fixed": "1"} if action.startswith("open") else {}
    return {**who, "action": action, **sized, **fields}


def operator(redis_url: str, prefix: str, *command: str) -> str:
    """What a person at the command line sees; the command must succeed."""
    done = subprocess.run(
        cli("worker", *command),
        env={"SIGNALS_REDIS_URL": redis_url, "SIGNALS_PREFIX": prefix, "USER": "ann"},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout


def test_after_a_pause_no_post_starts(
    workers: Workers, producer: SignalProducer, ledger: Ledger, redis_url: str, prefix: str
) -> None:
    with PaperServer(latency=(0.0, 0.3)) as paper:
        for _ in range(2):
            workers.start(paper.webhook_url, entry_expiry=600)
        receipts = producer.send([order(f"acct-{n % 40}") for n in range(1200)])
        eventually(lambda: len(paper.receipts) > 100, within=10, what="they are at it")
        # when
        assert operator(redis_url, prefix, "pause", "--why", "news").startswith("paused: everything")
        # then: not one more, whatever comes and whoever starts
        told = len(paper.receipts)
        assert told < len(receipts)
        late = producer.send([order("late"), order("late", "closeLong")])
        workers.start(paper.webhook_url, entry_expiry=600)
        for process in workers.running[:2]:
            assert process.stop() == 0
        halted = f"{prefix}halted"
        eventually(
            lambda: ledger.client.zcard(halted) == ledger.client.zcard(f"{prefix}lanes"),
            within=10,
            what="the last worker has looked at all lanes",
        )
        assert len(paper.receipts) == told
        # and it goes on where it stopped
        operator(redis_url, prefix, "resume")
        ledger.idle(within=30)
        assert ledger.total("accepted") == len(receipts) + len(late)
        assert len(paper.receipts) == len(receipts) + len(late)


def test_a_pause_of_entries_lets_exits_pass(
    workers: Workers, producer: SignalProducer, ledger: Ledger, redis_url: str, prefix: str
) -> None:
    with PaperServer() as paper:
        workers.start(paper.webhook_url)
        operator(redis_url, prefix, "pause", "--entries")
        entry, short, leave = producer.send([order("a"), order("a", "openShort"), order("a", "closeLong")])
        assert ledger.outcome(leave.id) == "accepted"
        operator(redis_url, prefix, "resume")
        assert ledger.outcome(entry.id) == "cancelled", "or it would open a position behind its own close"
        assert ledger.outcome(short.id) == "accepted"
        assert [one.action for one in paper.receipts] == ["closeLong", "openShort"]


def test_a_pause_survives_the_server_and_entries_expire_in_it(
    workers: Workers, tmp_path: Path, prefix: str
) -> None:
    with Server(tmp_path / "server") as server, PaperServer() as paper, connect(server.url) as client:
        ledger = Ledger(client, prefix)
        workers.start(paper.webhook_url, redis_url=server.url)
        operator(server.url, prefix, "pause", "--connector", "a")
        with SignalProducer(settings=Settings(redis_url=server.url, prefix=prefix)) as producer:
            stale = producer.send(order("a"), max_age=2.0)
            leave = producer.send(order("a", "closeLong"))
            other = producer.send(order("b"))
        assert ledger.outcome(other.id) == "accepted"
        server.kill()
        server.start()
        assert ledger.outcome(stale.id) == "expired"
        assert ledger.record(leave.id)["state"] == "waiting"
        assert len(paper.receipts) == 1
        operator(server.url, prefix, "resume", "--connector", "a")
        assert ledger.outcome(leave.id) == "accepted"
        workers.stop()


def test_rates_hold_over_all_workers(workers: Workers, producer: SignalProducer, ledger: Ledger) -> None:
    with PaperServer() as paper:
        settings = {"rate": 40, "connector_rate": 5, "entry_expiry": 600}
        for _ in range(2):
            workers.start(paper.webhook_url, **settings)
        producer.send([order(f"a{n % 30}") for n in range(120)] + [order("hot") for _ in range(16)])
        ledger.idle(within=30)
        assert ledger.total("accepted") == len(paper.receipts) == 136
        # All that a slow machine can do is to delay the first POST more than the last.
        late = 1.0
        arrived = [one.received_mono for one in paper.receipts]
        assert max(arrived) - min(arrived) >= 135 / 40 - late
        hot = [one.received_mono for one in paper.receipts if one.connector == "hot"]
        assert max(hot) - min(hot) >= 15 / 5 - late


def test_a_dead_endpoint_is_not_hammered_and_work_goes_on_when_it_is_back(
    workers: Workers, producer: SignalProducer, ledger: Ledger
) -> None:
    with PaperServer(mischief=Mischief.from_text("503")) as paper:
        settings = {"entry_expiry": 600, "circuit_pause": 0.3, "backoff_cap": 1, "threads": 32}
        for _ in range(2):
            workers.start(paper.webhook_url, **settings)
        producer.send([order(f"a{n}") for n in range(1000)])
        circuits = f"{ledger.prefix}circuits"
        eventually(lambda: ledger.client.zcard(circuits), within=10, what="the circuit opens")
        opened = len(paper.receipts)
        assert opened <= 10 + 2 * 32, "no more than were in flight"
        eventually(lambda: len(paper.receipts) >= opened + 2, within=20, what="probes go out")
        assert len(paper.receipts) < opened + 2 * 32 + 10
        # when
        paper.mischief = Mischief()
        # then
        ledger.idle(within=30)
        assert ledger.total("accepted") == 1000
        assert ledger.client.zcard(circuits) == 0
        assert sum(one.status == 200 for one in paper.receipts) == 1000
        assert all(fetch(f"{address}/livez")[0] == 200 for address in workers.addresses)
