"""Each role does its whole job with the rights that docs/redis.md gives it, and nothing else."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from demo.stack import cli, eventually
from producers import SignalProducer
from tests.acceptance.conftest import Ledger
from tests.conftest import Workers
from worker.errors import QueueUnusable
from worker.lanes import Lanes, scripts
from worker.lanes.redis import connect
from worker.paper import Mischief, PaperServer
from worker.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "redis.md"
ROLES = ("producer", "worker", "reader")


class Users:
    """Makes the users of the page for one prefix."""

    def __init__(self, client: redis.Redis, url: str, prefix: str) -> None:
        self._client, self._url, self._prefix = client, url, prefix
        self._lines = re.findall(r"^ACL SETUSER signals-(\w+) (.*)$", PAGE.read_text("utf-8"), re.M)
        assert [role for role, _ in self._lines] == list(ROLES)

    def name(self, role: str) -> str:
        return f"{role}-{self._prefix[:-1]}"

    def make(self) -> None:
        for role, rules in self._lines:
            words = rules.replace("PASSWORD", "pw").replace("signals:", self._prefix).split()
            self._client.execute_command("ACL", "SETUSER", self.name(role), "reset", *words)

    def set(self, role: str, *rules: str) -> None:
        self._client.execute_command("ACL", "SETUSER", self.name(role), *rules)

    def delete(self) -> None:
        self._client.execute_command("ACL", "DELUSER", *map(self.name, ROLES))

    def denied(self) -> list[str]:
        """What these users have tried in vain."""
        log = self._client.execute_command("ACL", "LOG")
        mine = {self.name(role) for role in ROLES}
        return [
            f"{one['username']}: {one['object']}"
            for one in ({key.decode(): _text(value) for key, value in entry.items()} for entry in log)
            if one["username"] in mine
        ]

    def url(self, role: str, password: str = "pw") -> str:
        return self._url.replace("//", f"//{self.name(role)}:{password}@")


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


@pytest.fixture
def users(client: redis.Redis, redis_url: str, prefix: str) -> Iterator[Users]:
    made = Users(client, redis_url, prefix)
    client.execute_command("ACL", "LOG", "RESET")
    made.make()
    yield made
    made.delete()


def order(number: int, **fields: object) -> dict[str, object]:
    return {
        "connectorName": f"acct-{number % 4}",
        "connectorToken": "token-for-tests",
        "action": "openLong",
        "fixed": "1",
        "clientOrderId": f"n-{number}",
        **fields,
    }


def run(url: str, prefix: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"SIGNALS_REDIS_URL": url, "SIGNALS_PREFIX": prefix}
    return subprocess.run(
        cli("worker", *words), capture_output=True, text=True, timeout=30, env=environment, check=False
    )


def sent_for_later(users: Users, prefix: str, number: int) -> str:
    """The id of a delayed order that a producer has just sent."""
    settings = Settings(redis_url=users.url("producer"), prefix=prefix)
    with SignalProducer(settings=settings) as producer:
        return str(producer.send(order(number, delaySeconds=600), idempotency_key=f"k-{number}").id)


def test_every_role_does_its_job(users: Users, workers: Workers, ledger: Ledger, prefix: str) -> None:
    with PaperServer(mischief=Mischief.from_text("400:clientOrderId=n-1", "503:first=1")) as paper:
        worker = workers.start(paper.webhook_url, redis_url=users.url("worker"), backoff_base=0.1)
        with SignalProducer(settings=Settings(redis_url=users.url("producer"), prefix=prefix)) as producer:
            receipts = producer.send([order(number) for number in range(8)])
            receipts += producer.send([order(8, delaySeconds=600), order(8, action="cancel")])
            receipts += producer.send([order(9, delaySeconds=1), order(0)])
        statuses = [str(one.status) for one in receipts]
        assert statuses == ["accepted"] * 11 + ["duplicate"]
        ledger.idle()
        assert ledger.outcome(receipts[1].id) == "rejected"
        status = run(users.url("reader"), prefix, "status", "--json")
        assert status.returncode == 0, status.stderr
        named = ("--connector", "acct-3", "--order", "n-3")
        for words in (("tail", "--no-follow"), ("dead", "list"), ("status",), ("show", *named)):
            done = run(users.url("reader"), prefix, *words)
            assert done.returncode == 0, done.stderr
        for words in (("dead", "show"), ("dead", "resend", "--yes", "--by", "ann")):
            done = run(users.url("worker"), prefix, *words, str(receipts[1].id))
            assert done.returncode == 0, done.stderr
        late = [sent_for_later(users, prefix, number) for number in (20, 21)]
        done = run(users.url("worker"), prefix, "drop", "--yes", "--by", "ann", late[0])
        assert done.returncode == 0, done.stderr
        with connect(users.url("producer")) as theirs:
            lanes = Lanes(theirs, prefix=prefix)
            lanes.release([late[1]])
            assert lanes.drop([late[1]], by="gateway").results == ("done",)
        ledger.idle()
        assert worker.stop() == 0
    assert users.denied() == []


@pytest.mark.parametrize("role", ROLES)
def test_no_role_does_more(users: Users, client: redis.Redis, prefix: str, role: str) -> None:
    client.set(f"{prefix}body:x", "a token")
    with connect(users.url(role)) as theirs:
        for command in (
            ("FLUSHALL",), ("FLUSHDB",), ("KEYS", "*"), ("CONFIG", "GET", "*"), ("SCAN", 0),
            ("GET", "elsewhere"), ("SET", "elsewhere", 1), ("ACL", "LIST"), ("SHUTDOWN",),
            ("EVAL", "return redis.call('SET', 'elsewhere', 1)", 0), ("REPLICAOF", "NO", "ONE"),
        ):  # fmt: skip
            with pytest.raises(redis.ResponseError, match=r"permission|ACL failure"):
                theirs.execute_command(*command)
        if role == "reader":
            for command in (("GET", f"{prefix}body:x"), ("DEL", f"{prefix}dead"), ("EVAL", "return 1", 0)):
                with pytest.raises(redis.ResponseError, match="permission"):
                    theirs.execute_command(*command)


def test_refusals_are_one_line(users: Users, prefix: str) -> None:
    for command in ("status", "run", "check"):
        wrong = run(users.url("worker", "wrong"), prefix, command)
        text = wrong.stdout if command == "check" else wrong.stderr
        assert wrong.returncode == 1
        assert "refuses the user or password of SIGNALS_REDIS_URL" in text
        assert "Traceback" not in text
        assert "wrong" not in text
    narrow = run(users.url("reader"), prefix, "run")
    assert narrow.returncode == 1
    assert narrow.stderr.count("\n") == 1
    assert "lacks a right" in narrow.stderr
    users.set("producer", "-incrby")
    for role in ("reader", "producer"):
        with (
            SignalProducer(settings=Settings(redis_url=users.url(role), prefix=prefix)) as producer,
            pytest.raises(QueueUnusable, match=r"lacks a right"),
        ):
            producer.send(order(1))


def test_a_running_worker_survives_a_password_that_changes(
    users: Users, workers: Workers, ledger: Ledger, client: redis.Redis, prefix: str
) -> None:
    with (
        PaperServer(latency=(0.2, 0.2)) as paper,
        SignalProducer(settings=Settings(redis_url=users.url("producer"), prefix=prefix)) as producer,
    ):
        worker = workers.start(paper.webhook_url, redis_url=users.url("worker"))
        producer.send([order(number) for number in range(8)])
        eventually(lambda: len(paper.receipts) > 0, within=10, what="some arrive")
        # when: the password changes while POSTs are under way, and everybody is thrown out
        users.set("worker", "resetpass", ">other")
        client.execute_command("CLIENT", "KILL", "USER", users.name("worker"))
        eventually(lambda: worker.output().count("refuses the user") > 0, within=15, what="it is told")
        users.set("worker", "resetpass", ">pw")
        # then
        ledger.idle(within=20)
        assert ledger.total("accepted") == 8
        assert [ledger.total(name) for name in ("unknown", "unsent")] == [0, 0]
        assert len(paper.receipts) == 8
        assert worker.stop() == 0


@pytest.mark.parametrize("role", ["producer", "worker"])
def test_the_page_names_every_command_of_the_scripts(role: str) -> None:
    folder = Path(scripts.__file__).parent / "lua"
    others = {"checkout", "settle", "defer", "wake", "resolve", "pause"} if role == "producer" else set()
    texts = [file.read_text("utf-8") for file in folder.rglob("*.lua") if file.stem not in others]
    needed = {name.lower() for text in texts for name in re.findall(r"call\('([A-Z]+)'", text)}
    line = re.search(rf"^ACL SETUSER signals-{role} (.*)$", PAGE.read_text("utf-8"), re.M)
    assert line is not None
    assert needed <= set(re.findall(r"\+(\S+)", line[1]))
