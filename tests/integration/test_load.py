"""``signal-producer load`` as a process, with a real server: killed, stopped, cut off, gone on with."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from demo.stack import Process, Server, cli, eventually
from producers import SignalProducer
from producers.admission import Draft
from producers.receipts import Status
from worker.lanes.redis import connect
from worker.settings import Settings

TOKEN = "0e9f7a52-8d53-4c6a-9f0e-3b1f7a2c4d5e"
LINES = 12_000
CONNECTORS = 40


class Desk:
    """A file to load, and what came of it."""

    def __init__(self, folder: Path, redis_url: str, prefix: str) -> None:
        self.path = folder / "signals.jsonl"
        self._folder = folder
        self._settings = {
            "SIGNALS_REDIS_URL": redis_url,
            "SIGNALS_PREFIX": prefix,
            "SIGNALS_REDIS_PATIENCE": "0.5",
        }
        self._prefix = prefix
        self._runs = 0

    def write_lines(self) -> int:
        """A large file with a bad line here and there; says how many are good."""
        good = 0
        with self.path.open("w") as file:
            for number in range(1, LINES + 1):
                bad = number % 97 == 0
                good += not bad
                file.write(json.dumps(order(number, **({"perecnt": "1"} if bad else {}))) + "\n")
        return good

    def start(self, *arguments: str) -> Process:
        self._runs += 1
        command = cli("producers", "load", str(self.path), "--output", "json", *arguments)
        return Process(command, self._folder / f"load-{self._runs}.log", self._settings)

    def load(self, *arguments: str) -> tuple[int, str]:
        with self.start(*arguments) as process:
            return process.wait(60), process.output()

    def beside(self, ending: str) -> Path:
        return self.path.with_name(self.path.name + ending)

    @property
    def progress(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self.beside(".progress.json").read_text())
        except FileNotFoundError:
            return {"place": {"line": 0}, "state": "none"}
        return found

    @property
    def rejected(self) -> list[int]:
        return [json.loads(line)["line"] for line in self.beside(".rejected.jsonl").read_text().splitlines()]

    def until_line(self, line: int, process: Process) -> None:
        eventually(
            lambda: self.progress["place"]["line"] >= line or process.exit_code is not None,
            within=30,
            what=f"line {line} is sent",
            pause=0.001,
        )

    def admitted(self, client: redis.Redis) -> list[int]:
        """The line numbers of all signals in Redis, lane by lane in order."""
        found: list[int] = []
        for number in range(CONNECTORS):
            ids: list[Any] = client.lrange(f"{self._prefix}lane:c{number}", 0, -1)
            bodies: list[Any] = (
                client.mget([f"{self._prefix}body:{name.decode()}" for name in ids]) if ids else []
            )
            lines = [int(json.loads(body)["log"]) for body in bodies]
            assert lines == sorted(lines)
            found += lines
        return sorted(found)

    def assert_secret(self) -> None:
        for path in [*self._folder.glob("*.log"), self.beside(".progress.json")]:
            text = path.read_text()
            assert TOKEN not in text
            assert "Traceback" not in text


def order(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "connectorName": f"c{number % CONNECTORS}",
        "connectorToken": TOKEN,
        "action": "openLong",
        "percent": "1",
        "log": str(number),
        **fields,
    }


@pytest.fixture
def desk(tmp_path: Path, redis_url: str, prefix: str) -> Desk:
    return Desk(tmp_path, redis_url, prefix)


def good_lines() -> list[int]:
    return [number for number in range(1, LINES + 1) if number % 97]


def test_killed_again_and_again_every_line_is_sent_exactly_once(desk: Desk, client: redis.Redis) -> None:
    good = desk.write_lines()
    kills = 0
    for _ in range(4):
        reached = desk.progress["place"]["line"]
        process = desk.start()
        desk.until_line(reached + random.randint(1, 1000), process)
        time.sleep(random.uniform(0, 0.03))  # so that it dies anywhere between two batches
        if process.exit_code is None:
            kills += 1
            process.kill()
    assert kills >= 2
    assert desk.progress["state"] == "running"

    code, output = desk.load()

    assert code == 1
    assert "going on behind line" in output
    summary = json.loads(output.splitlines()[-1])
    assert (summary["state"], summary["accepted"], summary["invalid"]) == ("done", good, LINES - good)
    assert desk.admitted(client) == good_lines()
    assert desk.rejected == [number for number in range(1, LINES + 1) if number % 97 == 0]
    desk.assert_secret()


@pytest.mark.parametrize(
    ("fields", "claims"),
    [({"clientOrderId": "x1"}, ["claim:order:2:c1:x1"]), ({}, ["claim:key:2:c1:the key"])],
)
def test_a_line_is_known_under_one_claim_when_its_signal_has_ended_and_been_forgotten(
    redis_url: str, prefix: str, client: redis.Redis, fields: dict[str, str], claims: list[str]
) -> None:
    draft = Draft(order(1, **fields), "the key", "1f", key_is_spare=True)
    with SignalProducer(settings=Settings(redis_url=redis_url, prefix=prefix)) as producer:
        first = producer.admit([draft], producer.terms())
        for name in ("signal:1f", "body:1f", "lane:c1", "lanes", "rung"):
            client.delete(prefix + name)

        # When the load is gone on with, and sends the line again
        second = producer.admit([draft], producer.terms())

    assert second == first
    assert second[0].status is Status.ACCEPTED
    assert not client.exists(f"{prefix}lane:c1", f"{prefix}signal:1f")
    assert [key.decode().removeprefix(prefix) for key in client.keys(f"{prefix}claim:*")] == claims


def test_ctrl_c_ends_the_batch_and_says_how_to_go_on(desk: Desk, client: redis.Redis) -> None:
    desk.write_lines()
    process = desk.start()
    desk.until_line(1, process)
    process.send(signal.SIGINT)

    assert process.wait(30) == 1

    reached = desk.progress["place"]["line"]
    assert desk.progress["state"] == "stopped"
    assert f"stopped behind line {reached}: run the same command" in process.output()
    assert desk.admitted(client) == [number for number in good_lines() if number <= reached]
    assert desk.load()[0] == 1
    assert desk.admitted(client) == good_lines()


def test_a_server_that_goes_away_leaves_a_load_to_go_on_with(tmp_path: Path, prefix: str) -> None:
    (tmp_path / "data").mkdir()
    with Server(tmp_path / "data") as server:
        desk = Desk(tmp_path, server.url, prefix)
        desk.write_lines()
        process = desk.start()
        desk.until_line(1, process)
        server.kill()

        assert process.wait(30) == 1
        last = process.output().splitlines()[-1]
        assert last.startswith("signal-producer: Redis does not answer")
        assert "run the same command to go on there, nothing is sent twice" in last

        server.start()
        code, output = desk.load()
        assert (code, json.loads(output.splitlines()[-1])["state"]) == (1, "done")
        with connect(server.url) as client:
            assert desk.admitted(client) == good_lines()
        desk.assert_secret()


CSV = """connectorName,action,percent,limit,log,connectorToken
c1,openLong,10,,"two
lines",{token}
c1,opnLong,10,,,{token}
c2,closeLong,,1.50,,{token}
c2,closeLong
"""


def test_csv(desk: Desk, client: redis.Redis, prefix: str) -> None:
    desk.path = desk.path.with_suffix(".csv")
    desk.path.write_text("\ufeff" + CSV.format(token=TOKEN), "utf-8")

    code, output = desk.load()

    assert code == 1
    assert "line 4: invalid: `action` must be one of" in output
    assert "line 6: invalid: the row has 2 cells, the header has 6" in output
    assert desk.rejected == [4, 6]
    assert json.loads(output.splitlines()[-1])["accepted"] == 2
    bodies = [json.loads(client.get(key) or b"") for key in client.scan_iter(f"{prefix}body:*")]
    assert {body["connectorName"]: body.get("log") for body in bodies} == {"c1": "two\nlines", "c2": None}
    desk.assert_secret()


def test_done_changed_and_sent_anew(desk: Desk, client: redis.Redis, prefix: str) -> None:
    desk.path.write_text(json.dumps(order(1)) + "\n")
    assert desk.load()[0] == 0
    assert desk.load() == (
        1,
        f"signal-producer: {desk.path} has been loaded already (1 signals):"
        " send the whole file anew with --again\n",
    )
    assert desk.load("--again")[0] == 0
    assert client.hget(f"{prefix}totals", "admitted") == b"2"
    with desk.path.open("a") as file:
        file.write(json.dumps(order(2)) + "\n")
    code, output = desk.load()
    assert (code, output.count("\n")) == (1, 1)
    assert "has changed since its load began" in output


@pytest.mark.parametrize(
    ("prepare", "why"), [(Path.mkdir, "Is a directory"), (lambda path: None, "No such file")]
)
def test_files_that_cannot_be_read_are_one_line(
    desk: Desk, prepare: Callable[[Path], None], why: str
) -> None:
    prepare(desk.path)
    code, output = desk.load()
    assert (code, output.count("\n")) == (1, 1)
    assert output.startswith("signal-producer: ")
    assert why in output
