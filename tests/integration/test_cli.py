"""The commands as a person and a script use them: against a real server, also as real processes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Queue
from typing import Any

import pytest
import redis
from click.testing import CliRunner, Result

from demo.stack import cli
from tests.integration.ledger_filling import HOSTILE_NAMES, TOKEN, Ledger, note
from worker.cli import group
from worker.lanes import Outcome
from worker.paper.mischief import _EFFECT_KEYS, _MATCH_KEYS

NO_REDIS = "redis://:hunter2@127.0.0.1:1/0"
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
Run = Callable[..., Result]


@pytest.fixture
def environment(redis_url: str, prefix: str) -> dict[str, str]:
    return {"SIGNALS_REDIS_URL": redis_url, "SIGNALS_PREFIX": prefix, "COLUMNS": "140"}


@pytest.fixture
def run(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Run:
    for name in [name for name in os.environ if name.startswith("SIGNALS_")]:
        monkeypatch.delenv(name)

    def run(*arguments: str, **settings: str) -> Result:
        return CliRunner().invoke(group, arguments, env={**environment, **settings}, catch_exceptions=False)

    return run


@pytest.fixture
def ledger(client: redis.Redis, prefix: str) -> Ledger:
    return Ledger(client, prefix)


class Child:
    """A command as a process of its own, its output read line by line with a deadline."""

    def __init__(self, arguments: tuple[str, ...], environment: dict[str, str]) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALS_")}
        self.process = subprocess.Popen(
            cli("worker", *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**inherited, "PYTHONUTF8": "1", **environment},
        )
        self._lines: Queue[str] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line.decode())

    def line(self) -> str:
        return self._lines.get(timeout=20)

    def end(self, number: signal.Signals | None = None) -> tuple[int, str]:
        """Exit code and what was written to stderr."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(20)
        self._reader.join(20)
        assert self.process.stderr
        return code, self.process.stderr.read().decode()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(20)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream
            stream.close()


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Callable[..., Child]]:
    children: list[Child] = []

    def start(*arguments: str, **settings: str) -> Child:
        children.append(Child(arguments, {**environment, **settings}))
        return children[-1]

    yield start
    for child in children:
        child.close()


def records(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


class TestStatus:
    def test_an_empty_installation_is_good_news(self, run: Run) -> None:
        result = run("status")
        assert result.exit_code == 0
        assert result.stdout.startswith("✓ nothing is at risk")
        assert "Lanes" not in result.stdout
        assert "Dead" not in result.stdout

    def test_money_at_risk_stands_on_top(self, run: Run, ledger: Ledger) -> None:
        ledger.end(Outcome.UNKNOWN)
        ledger.end(Outcome.REJECTED)
        ledger.admit("busy")
        lines = run("status", COLUMNS="80").stdout.splitlines()
        assert lines[0].startswith("✗ 1 signal may or may not have become an order")
        assert lines[1].strip() == "signal-worker dead list --reason unknown"
        assert lines[2].startswith("✗ no worker runs, or Redis lets none write")
        assert lines[3].startswith("! 1 signal did not become an order (1 rejected)")
        assert any(line.startswith("busy ") and "queued" in line for line in lines)

    def test_json_is_one_line_with_everything(self, run: Run, ledger: Ledger) -> None:
        ledger.end(Outcome.UNKNOWN)
        ledger.admit("busy")
        (record,) = records(run("status", "--json"))
        assert record["dead"] == {"unknown": 1}
        assert record["risks"][0]["level"] == "bad"
        assert [lane["connector"] for lane in record["oldest_lanes"]] == ["busy"]

    def test_lanes_are_bounded(self, run: Run, ledger: Ledger) -> None:
        for name in "abc":
            ledger.admit(name)
        (record,) = records(run("status", "--json", "--lanes", "2"))
        assert (record["lanes"], len(record["oldest_lanes"])) == (3, 2)
        assert "(2 of 3)" in run("status", "--lanes", "2").stdout

    def test_numbers_stay_readable_beside_a_name_of_256_columns(self, run: Run, ledger: Ledger) -> None:
        ledger.admit("资" * 128)
        for width in ("80", "140"):
            output = run("status", COLUMNS=width).stdout
            assert re.search(r"资 ?…\s+1  queued", output)

    def test_watching_goes_on_until_ctrl_c(self, start: Callable[..., Child]) -> None:
        child = start("status", "--json", "--watch", "0.1")
        assert json.loads(child.line())["now_ms"] < json.loads(child.line())["now_ms"]
        assert child.end(signal.SIGINT) == (0, "")

    def test_watching_on_a_terminal_draws_the_page_and_leaves_with_ctrl_c(
        self, environment: dict[str, str], ledger: Ledger
    ) -> None:
        ledger.end(Outcome.UNKNOWN, "\x1b[31mred")
        ours, theirs = os.openpty()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALS_")}
        process = subprocess.Popen(
            cli("worker", "status", "--watch", "0.1"), stdin=theirs, stdout=theirs, stderr=theirs,
            env={**inherited, "PYTHONUTF8": "1", "TERM": "xterm-256color", **environment, "LINES": "40"},
        )  # fmt: skip
        os.close(theirs)
        try:
            drawn = b""
            while drawn.count(b"may or may not have become an order") < 4:
                drawn += os.read(ours, 65536)
            process.send_signal(signal.SIGINT)
            with suppress(OSError):  # a terminal whose other side has gone
                while chunk := os.read(ours, 65536):
                    drawn += chunk
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.wait()
            os.close(ours)
        assert b"Traceback" not in drawn
        assert b"\x1b[?1049l" in drawn, "the terminal is given back"

    def test_neither_celery_nor_requests_is_loaded(self, environment: dict[str, str]) -> None:
        code = (
            "import sys\nfrom worker.cli import group\n"
            "group(['status'], standalone_mode=False)\n"
            "heavy = {'celery', 'kombu', 'requests', 'urllib3', 'prometheus_client', 'pygments'}\n"
            "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
        )
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALS_")}
        done = subprocess.run(
            [sys.executable, "-c", code], env={**inherited, **environment}, capture_output=True, text=True,
            timeout=30, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")


class TestDead:
    def test_none(self, run: Run) -> None:
        assert run("dead", "list").stdout == "no dead letters\n"
        assert run("dead", "list", "--json").stdout == ""

    def test_listing_shows_whole_ids_at_any_width(self, run: Run, ledger: Ledger) -> None:
        ids = [ledger.end(outcome, "资" * 128) for outcome in (Outcome.UNKNOWN, Outcome.UNSENT)]
        ledger.client.zadd(ledger.key("dead"), {ids[0]: 1, ids[1]: 2})
        for width in ("80", "140"):
            lines = run("dead", "list", COLUMNS=width).stdout.splitlines()
            assert [line.split()[0] for line in lines[2:]] == ids[::-1]
            assert [line.split()[1] for line in lines[2:]] == ["unsent", "unknown"]

    def test_filters(self, run: Run, ledger: Ledger) -> None:
        a, b = ledger.end(Outcome.UNKNOWN, "a"), ledger.end(Outcome.REJECTED, "b")
        old = ledger.end(Outcome.EXPIRED, "a")
        now = int(ledger.client.time()[0]) * 1000
        ledger.client.zadd(ledger.key("dead"), {old: 1000, a: now - 2, b: now - 1})

        def ids(*arguments: str) -> list[str]:
            return [record["id"] for record in records(run("dead", "list", "--json", *arguments))]

        assert ids() == [b, a, old]
        assert ids("--connector", "a") == [a, old]
        assert ids("--reason", "rejected") == [b]
        assert ids("--newer", "10m") == [b, a]
        assert ids("--older", "1h") == [old]
        assert ids("--limit", "1") == [b]
        assert "more than 1:" in run("dead", "list", "--limit", "1").stdout
        ledger.client.hset(ledger.key(f"signal:{old}"), "class", "full exit")
        assert ids("--exits") == [old]
        assert ids("--exits", "--reason", "rejected") == []

    def test_machines_are_told_of_all(self, run: Run, ledger: Ledger) -> None:
        for _ in range(51):
            ledger.end(Outcome.REJECTED)
        assert len(records(run("dead", "list", "--json"))) == 51
        assert "more than 50:" in run("dead", "list").stdout

    def test_showing_one(self, run: Run, ledger: Ledger) -> None:
        signal_id = ledger.end(Outcome.UNKNOWN, why="timeout", history=note(1, "unknown", "timeout"))
        output = run("dead", "show", signal_id).stdout
        assert output.startswith(f"✗ {signal_id}  unknown")
        assert "Look in the account" in output
        assert "2023-11-14 22:13:20.000Z" in output
        assert '"connectorToken": "***"' in output
        assert '"clientOrderId": "order-7"' in output

    def test_json_of_several(self, run: Run, ledger: Ledger) -> None:
        ids = [ledger.end(Outcome.UNKNOWN), ledger.end(Outcome.INVALID)]
        shown = records(run("dead", "show", *ids, "--json"))
        assert [record["id"] for record in shown] == ids
        assert [record["in_doubt"] for record in shown] == [True, False]
        assert all(record["body"]["connectorToken"] == "***" and record["advice"] for record in shown)

    def test_an_unknown_id_is_one_line_and_does_not_hide_the_others(self, run: Run, ledger: Ledger) -> None:
        known, waiting = ledger.end(Outcome.UNKNOWN), ledger.admit("b")
        result = run("dead", "show", "no\x1bbody", waiting, known)
        assert result.exit_code == 1
        first, second = result.stderr.splitlines()
        assert first.startswith("signal-worker: no\\x1bbody: there is no such signal")
        assert second == f"signal-worker: {waiting}: not a dead letter, it is waiting"
        assert known in result.stdout

    def test_a_body_that_nobody_understands_is_not_shown(self, run: Run, ledger: Ledger) -> None:
        signal_id = ledger.end(Outcome.INVALID)
        ledger.client.set(ledger.key(f"body:{signal_id}"), f'{{"connectorToken": "{TOKEN}"')
        output = run("dead", "show", signal_id).stdout
        assert TOKEN not in output
        assert "cannot be shown: it has 36 bytes" in output


class TestTail:
    def test_the_last_ones_then_the_new_ones_until_ctrl_c(
        self, start: Callable[..., Child], ledger: Ledger
    ) -> None:
        old = [ledger.end(Outcome.ACCEPTED) for _ in range(3)]
        child = start("tail", "--json", "-n", "2")
        assert [json.loads(child.line())["id"] for _ in range(2)] == old[1:]
        new = ledger.end(Outcome.REJECTED)
        assert json.loads(child.line())["id"] == new
        assert child.end(signal.SIGINT) == (0, "")

    def test_a_line_says_it_all(self, run: Run, ledger: Ledger) -> None:
        ledger.end(Outcome.REJECTED, "acct-1", why="401")
        line = run("tail", "--no-follow").stdout
        assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}Z  acct-1 +openLong +rejected +x1 +\+\d+ ms  401\n", line)

    def test_filters(self, run: Run, ledger: Ledger) -> None:
        ids = [
            ledger.end(outcome, lane)
            for lane, outcome in (
                ("acct-1", Outcome.ACCEPTED),
                ("acct-2", Outcome.UNKNOWN),
                ("[x]", Outcome.REJECTED),
            )
        ]

        def seen(*arguments: str) -> list[int]:
            return [ids.index(one["id"]) for one in records(run("tail", "--no-follow", "--json", *arguments))]

        assert seen() == [0, 1, 2]
        assert seen("-n", "1") == [2]
        assert seen("-n", "0") == []
        assert seen("--connector", "acct-*") == [0, 1]
        assert seen("--connector", "[x]", "--connector", "acct-1") == [0, 2]
        assert seen("--outcome", "unknown", "--outcome", "rejected", "-n", "5") == [1, 2]
        assert seen("--since", "10m") == [0, 1, 2]

    def test_since_begins_there(self, run: Run, client: redis.Redis, prefix: str) -> None:
        client.xadd(f"{prefix}outcomes", {"id": "ancient"}, id="1000-0")
        assert run("tail", "--no-follow", "--since", "1h").stdout == ""
        assert "ancient" in run("tail", "--no-follow", "--json").stdout

    def test_a_reader_that_has_seen_enough_is_no_failure(
        self, ledger: Ledger, environment: dict[str, str]
    ) -> None:
        for _ in range(30):
            ledger.end(Outcome.ACCEPTED)
        for arguments in (("tail", "--no-follow", "-n", "30"), ("status", "--json"), ("dead", "list")):
            reader, writer = os.pipe()
            os.close(reader)
            inherited = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALS_")}
            done = subprocess.run(
                cli("worker", *arguments), stdout=writer, stderr=subprocess.PIPE, timeout=30, check=False,
                env={**inherited, **environment},
            )  # fmt: skip
            os.close(writer)
            assert (done.returncode, done.stderr) == (0, b"")


class TestHostileNames:
    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    def test_nothing_is_obeyed_and_markup_stays_text(self, run: Run, ledger: Ledger, name: str) -> None:
        signal_id = ledger.end(Outcome.UNKNOWN, name, why=f"why {name}", order_id="order-7")
        ledger.admit(name)
        ledger.client.set(
            ledger.key(f"body:{signal_id}"), json.dumps({"log": name, name: name, "connectorToken": TOKEN})
        )
        for command in (("status",), ("tail", "--no-follow"), ("dead", "list"), ("dead", "show", signal_id)):
            for width in ("80", "140"):
                result = run(*command, COLUMNS=width)
                assert result.exit_code == 0
                assert not OBEYED.search(result.output), command
                assert TOKEN not in result.output
        if "[red]" in name:
            assert "[red]x[/red]" in run("tail", "--no-follow").stdout

    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    def test_json_is_ascii_on_one_line_and_exact(self, run: Run, ledger: Ledger, name: str) -> None:
        signal_id = ledger.end(Outcome.UNKNOWN, name)
        for command in (("tail", "--no-follow"), ("dead", "list"), ("dead", "show", signal_id)):
            result = run(*command, "--json")
            assert result.stdout.isascii()
            (record,) = records(result)
            assert record["connector"] == name
            assert TOKEN not in result.output

    def test_a_terminal_that_knows_only_ascii(self, start: Callable[..., Child], ledger: Ledger) -> None:
        ledger.end(Outcome.UNKNOWN, "🚀资")
        child = start("tail", "--no-follow", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
        assert "\\U0001f680\\u8d44" in child.line()
        assert child.end() == (0, "")


class TestTrouble:
    @pytest.mark.parametrize(
        "command", [("status",), ("tail",), ("dead", "list"), ("dead", "show", "x")], ids=" ".join
    )
    @pytest.mark.parametrize("url", [NO_REDIS, "redis://:hunter2@a..b/0"])
    def test_no_redis_is_one_line(
        self, start: Callable[..., Child], command: tuple[str, ...], url: str
    ) -> None:
        code, error = start(*command, SIGNALS_REDIS_URL=url).end()
        assert code == 1
        assert re.fullmatch(r"signal-worker: redis://:\*\*\*@[^\n]+\n", error)
        assert "hunter2" not in error

    def test_a_bad_setting_is_one_line(self, start: Callable[..., Child]) -> None:
        assert start("status", SIGNALS_PREFIXX="x").end() == (
            1,
            "signal-worker: SIGNALS_PREFIXX: no such setting; did you mean SIGNALS_PREFIX?\n",
        )

    @pytest.mark.parametrize(
        "arguments",
        [
            ("status", "--watch", "0"),
            ("status", "--lanes", "-1"),
            ("tail", "--outcome", "lost"),
            ("tail", "--since", "soon"),
            ("dead", "list", "--limit", "0"),
            ("dead", "show"),
            ("paper", "--latency", "3:1"),
            ("paper", "--mischief", "nonsense"),
            ("nonsense",),
        ],
        ids=" ".join,
    )
    def test_usage_errors_are_2(self, run: Run, arguments: tuple[str, ...]) -> None:
        assert run(*arguments).exit_code == 2

    @pytest.mark.parametrize("command", ["status", "tail", "dead", "check", "paper", "run"])
    def test_every_command_has_help_with_an_example(self, run: Run, command: str) -> None:
        result = run(command, "--help")
        assert result.exit_code == 0
        assert "Example" in result.stdout
        assert "signal-worker" in result.stdout

    @pytest.mark.parametrize("effect", [name for name in _EFFECT_KEYS if name != "status"])
    def test_the_help_of_paper_lists_each_effect_and_its_keys(self, run: Run, effect: str) -> None:
        (line,) = re.findall(rf"^ +{effect} .*$", run("paper", "--help").stdout, re.M)
        told = re.findall(r"\w+", line.rpartition(";")[2]) if ";" in line else []
        assert [key for key in _EFFECT_KEYS[effect] if key not in told] == []

    def test_the_help_of_paper_tells_whom_a_rule_meets(self, run: Run) -> None:
        text = run("paper", "--help").stdout
        assert "400 to 599 " in text
        assert [key for key in _MATCH_KEYS if f"{key}=" not in text] == []


class TestCheck:
    def test_fit(self, run: Run) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
            result = run("check", SIGNALS_ENDPOINT_URL=url)
            as_json = records(run("check", "--json", SIGNALS_ENDPOINT_URL=url))
        assert result.exit_code == 0
        assert "✗" not in result.stdout
        assert {record["level"] for record in as_json} == {"ok"}
        assert {"redis", "clock", "scripts", "endpoint"} <= {record["subject"] for record in as_json}

    def test_unfit(self, run: Run) -> None:
        result = run("check", SIGNALS_REDIS_URL=NO_REDIS, SIGNALS_ENDPOINT_URL="http://127.0.0.1:1/")
        assert result.exit_code == 1
        assert "nobody listens there: is Redis running?" in result.stdout
        assert "hunter2" not in result.output
        assert result.stdout.count("✗") == 2

    def test_bad_settings_are_a_finding(self, run: Run) -> None:
        result = run("check", "--json", SIGNALS_THREADS="0")
        assert result.exit_code == 1
        (record,) = records(result)
        assert (record["level"], record["subject"]) == ("bad", "settings")


class TestPaper:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_serves_until_told_to_stop(self, start: Callable[..., Child], number: signal.Signals) -> None:
        child = start("paper", "--port", "0", "--latency", "0:0.01", "--mischief", "503:p=0", "--seed", "1")
        webhook, pages = (child.line().split()[1] for _ in range(2))
        assert webhook.endswith("/trading-signal/webhook")
        body = json.dumps({"action": "cancelAll", "connectorName": "a", "connectorToken": TOKEN}).encode()
        request = urllib.request.Request(webhook, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200
        with urllib.request.urlopen(pages, timeout=10) as answer:
            assert json.load(answer)["receipts"] == 1
        assert child.end(number) == (0, "")

    def test_a_port_in_use_is_one_line(self, start: Callable[..., Child]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            code, error = start("paper", "--port", str(taken.getsockname()[1])).end()
        assert code == 1
        assert re.fullmatch(r"signal-worker: the paper endpoint cannot listen on [^\n]*in use\n", error)
