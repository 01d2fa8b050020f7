"""``signal-producer load`` of what is still being written: growing files, pipes; at a rate, and tried out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from demo.stack import Process, cli, eventually

TOKEN = "0e9f7a52-8d53-4c6a-9f0e-3b1f7a2c4d5e"


class Desk:
    def __init__(self, folder: Path, client: redis.Redis, redis_url: str, prefix: str) -> None:
        self.path = folder / "signals.jsonl"
        self.settings = {"SIGNALS_REDIS_URL": redis_url, "SIGNALS_PREFIX": prefix}
        self._folder, self._client, self._prefix = folder, client, prefix
        self._runs = 0

    def start(self, *arguments: str) -> Process:
        self._runs += 1
        command = cli("producers", "load", str(self.path), "--output", "json", *arguments)
        return Process(command, self._folder / f"load-{self._runs}.log", self.settings)

    def add(self, *lines: str) -> None:
        with self.path.open("a") as file:
            file.write("".join(lines))

    def admitted(self) -> list[str]:
        ids: list[Any] = self._client.lrange(f"{self._prefix}lane:c", 0, -1)
        bodies: list[Any] = (
            self._client.mget([f"{self._prefix}body:{one.decode()}" for one in ids]) if ids else []
        )
        return [json.loads(body)["log"] for body in bodies]

    def until(self, *logs: str) -> None:
        eventually(lambda: self.admitted() == list(logs), within=20, what=f"{logs} are taken")

    @property
    def progress(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(Path(f"{self.path}.progress.json").read_text())
        return found


def order(log: str, **fields: Any) -> str:
    signal_ = {
        "connectorName": "c",
        "connectorToken": TOKEN,
        "action": "openLong",
        "percent": "1",
        "log": log,
    }
    return json.dumps({**signal_, **fields}) + "\n"


@pytest.fixture
def desk(tmp_path: Path, client: redis.Redis, redis_url: str, prefix: str) -> Desk:
    return Desk(tmp_path, client, redis_url, prefix)


def last(process: Process) -> dict[str, Any]:
    (line,) = [line for line in process.output().splitlines() if line.startswith("{")]
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_growing_file_is_sent_as_it_grows_and_gone_on_with(desk: Desk) -> None:
    desk.add(order("1"))
    with desk.start("--follow") as process:
        desk.until("1")
        # when: a line comes in two parts
        desk.add(order("2")[:20])
        desk.add(order("2")[20:], order("3"), order("4")[:20])
        desk.until("1", "2", "3")
        process.send(signal.SIGTERM)
        assert process.wait(20) == 0
    assert (last(process)["accepted"], last(process)["state"]) == (3, "stopped")
    assert "stopped behind line 3: run the same command to go on there" in process.output()
    # then: what came meanwhile is sent by the next run, and nothing twice
    desk.add(order("4")[20:])
    with desk.start("--follow") as process:
        desk.until("1", "2", "3", "4")
        assert process.stop() == 0


def test_a_followed_load_that_is_killed_sends_nothing_twice(desk: Desk) -> None:
    desk.path.touch()
    expected: list[str] = []
    for number in range(4):
        with desk.start("--follow") as process:
            desk.add(order(f"{number}a"), order(f"{number}b"))
            expected += [f"{number}a", f"{number}b"]
            desk.until(*expected)
            process.kill()


def test_a_file_that_was_loaded_may_be_followed_from_its_end(desk: Desk) -> None:
    desk.add(order("1"))
    with desk.start() as process:
        assert process.wait(20) == 0
    desk.add(order("2"))
    with desk.start() as process:
        assert process.wait(20) == 1
    assert "go on with what was added by --follow" in process.output()
    with desk.start("--follow") as process:
        desk.until("1", "2")
        process.stop()


@pytest.mark.parametrize("how", ["truncated", "rotated"])
def test_rotation_and_truncation_are_told_in_one_line(desk: Desk, how: str) -> None:
    desk.add(order("1"), order("2"))
    with desk.start("--follow") as process:
        desk.until("1", "2")
        if how == "rotated":
            desk.path.rename(desk.path.with_suffix(".old"))
            desk.add(order("3"))
        else:
            os.truncate(desk.path, 0)
        assert process.wait(20) == 1
    (line,) = [line for line in process.output().splitlines() if line.startswith("signal-producer:")]
    assert f" was {how}" in line
    assert "line 2" in line
    assert "--again" in line
    assert desk.admitted() == ["1", "2"]


def test_a_growing_csv_file_waits_for_whole_rows(desk: Desk) -> None:
    desk.path = desk.path.with_suffix(".csv")
    desk.path.write_text("connectorName,connectorToken,act")
    with desk.start("--follow") as process:
        desk.add(f'ion,log\nc,{TOKEN},buy,1\nc,{TOKEN},buy,"two\n')
        desk.until("1")
        desk.add(f'lines"\nc,{TOKEN},buy,3\n')
        desk.until("1", "two\nlines", "3")
        assert process.stop() == 0


@pytest.fixture
def piped(desk: Desk, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALS_")}
    process = subprocess.Popen(
        cli("producers", "load", "-", "--follow", "--format", "jsonl", "--output", "json"),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
        env={**inherited, **desk.settings, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path])},
    )
    assert process.stdin is not None
    with process.stdin:
        yield process
    process.kill()
    process.wait()


def test_lines_of_a_pipe_go_out_at_once_and_its_end_is_the_end(
    desk: Desk, piped: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    assert piped.stdin is not None
    piped.stdin.write(order("1").encode())
    piped.stdin.flush()
    desk.until("1")
    piped.stdin.write(b"bad\n" + order("2").rstrip().encode())
    piped.stdin.close()
    assert piped.wait(20) == 1  # for the bad line
    desk.until("1", "2")
    assert [path.name for path in tmp_path.glob("stdin.*")] == ["stdin.rejected.jsonl"]


def test_a_fifo(desk: Desk) -> None:
    os.mkfifo(desk.path)
    with desk.start() as process:
        assert process.wait(20) == 2
    assert "is a pipe, of which no progress can be kept: add --follow" in process.output()
    with desk.start("--follow") as process:
        with desk.path.open("w") as writer:
            writer.write(order("1"))
            writer.flush()
            desk.until("1")
        assert process.wait(20) == 0
    assert last(process)["state"] == "done"


def test_a_rate_is_kept(desk: Desk) -> None:
    desk.add(*(order(str(number)) for number in range(60)))
    started = time.monotonic()
    with desk.start("--rate", "40") as process:
        assert process.wait(30) == 0
    assert time.monotonic() - started > 1.4  # 56 of them have to wait for their turn
    assert len(desk.admitted()) == 60


def test_a_dry_run_tells_everything_and_does_nothing(desk: Desk, client: redis.Redis, prefix: str) -> None:
    desk.add(
        order("1", clientOrderId="a1", delaySeconds=5),
        order("2", clientOrderId="a1", delaySeconds=5),
        order("3", clientOrderId="a1", percent="2"),
        order("4", connectorName="d", percent=None),
        order("5", perecnt="1"),
        order("6", action="cancelAll", percent=None),
    )
    with desk.start("--dry-run") as process:
        assert process.wait(20) == 1
    found = last(process)
    names = ("signals", "would_be_accepted", "duplicates", "conflicts", "invalid", "with_warnings", "delayed")
    assert [found[name] for name in names] == [6, 3, 1, 1, 1, 1, 2]
    assert (found["longest_delay"], found["drop_what_waits"]) == (5.0, 1)
    assert found["connectors"]["c"]["signals"] == 4
    assert "line 3: conflict: its clientOrderId belongs to a different signal, on line 1" in process.output()
    assert "did you mean `percent`" in process.output()
    assert TOKEN not in process.output()
    assert list(client.scan_iter(f"{prefix}*")) == []
    assert [path.name for path in desk.path.parent.glob("signals*")] == ["signals.jsonl"]
