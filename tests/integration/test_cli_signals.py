"""Asking for signals, and dropping them, from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import redis
from click.testing import CliRunner, Result

from tests.integration.ledger_filling import HOSTILE_NAMES, TOKEN, Ledger, note
from worker.cli import group
from worker.errors import SignalsError
from worker.lanes import Deferral, Outcome

Run = Callable[..., Result]


@pytest.fixture
def ledger(client: redis.Redis, prefix: str) -> Ledger:
    return Ledger(client, prefix)


@pytest.fixture
def run(redis_url: str, prefix: str) -> Run:
    environment = {"SIGNALS_REDIS_URL": redis_url, "SIGNALS_PREFIX": prefix, "COLUMNS": "140"}

    def run(*arguments: str, typed: str = "") -> Result:
        return CliRunner().invoke(group, arguments, env=environment, input=typed, catch_exceptions=False)

    return run


def state(ledger: Ledger, signal_id: str) -> str:
    found = ledger.client.hmget(ledger.key(f"signal:{signal_id}"), "state", "outcome")
    return " ".join(value.decode() for value in found if value)


class TestDrop:
    def test_it_asks_first_and_no_means_no(self, run: Run, ledger: Ledger) -> None:
        one = ledger.admit()
        refused = run("drop", one, typed="n\n")
        assert refused.exit_code == 1
        assert "Drop 1 signal, not to be posted any more?" in refused.output
        assert state(ledger, one) == "waiting"
        assert run("drop", one, typed="y\n").output.endswith("drop: 1 of 1 signals\n")
        assert state(ledger, one) == "finished cancelled"

    def test_by_what_its_sender_calls_it(self, run: Run, ledger: Ledger) -> None:
        ordered, keyed = ledger.admit(order_id="o 1"), ledger.admit("資金", idempotency_key="k:1")
        assert run("drop", "--connector", "acct", "--order", "o 1", "--yes").exit_code == 0
        assert run("drop", "--connector", "資金", "--key", "k:1", "--yes").exit_code == 0
        assert state(ledger, ordered) == state(ledger, keyed) == "finished cancelled"

    def test_what_cannot_be_dropped_is_told_for_each(self, run: Run, ledger: Ledger) -> None:
        sending, over, waiting = ledger.admit("a"), ledger.end(Outcome.ACCEPTED), ledger.admit("c")
        ledger.head("a")
        doubtful = ledger.admit("b", action_class="full")
        ledger.lanes.defer([Deferral(ledger.head("b"), 60_000, unknown=True)])
        result = run("drop", sending, over, doubtful, waiting, "--yes")
        assert result.exit_code == 1
        assert f"{sending}: too late, a worker has it in hand" in result.output
        assert f"{over}: nothing waits under this id" in result.output
        assert f"{doubtful}: not dropped: an earlier attempt may have been taken" in result.output
        assert result.output.endswith("drop: 1 of 4 signals\n")

    def test_workers_are_rung_for_what_follows(self, run: Run, ledger: Ledger) -> None:
        one, _ = ledger.admit(), ledger.admit()
        ledger.retry("acct", 60_000)
        assert run("drop", one, "--yes").exit_code == 0
        assert ledger.client.llen(ledger.key("rings")) == 1

    def test_for_machines(self, run: Run, ledger: Ledger) -> None:
        ids = [ledger.admit() for _ in range(3)]
        result = run("drop", *ids, "--yes", "--json", "--by", "ann", "--why", "flood")
        assert [json.loads(line) for line in result.output.splitlines()] == [
            {"id": one, "act": "drop", "status": "done"} for one in ids
        ]
        assert ledger.client.hget(ledger.key(f"signal:{ids[0]}"), "why") == b"dropped by ann: flood"


class TestShow:
    def test_one_that_is_tried_again(self, run: Run, ledger: Ledger) -> None:
        one = ledger.admit(order_id="o1")
        ledger.retry("acct", 60_000)
        result = run("show", one)
        assert result.exit_code == 0
        for words in (one, "waiting", "acct", "openLong (entry)", "o1", "503", "unsent"):
            assert words in result.output
        assert "ended" not in result.output

    def test_a_dead_letter_says_what_to_do(self, run: Run, ledger: Ledger) -> None:
        one = ledger.end(Outcome.UNKNOWN, why="timeout", history=note(1, "unknown", "timeout"))
        result = run("show", one)
        assert "Look in the account" in " ".join(result.output.split())
        assert "timeout" in result.output

    def test_a_doubt_is_told_while_it_waits(self, run: Run, ledger: Ledger) -> None:
        one = ledger.admit(action_class="full")
        ledger.retry("acct", 60_000, unknown=True)
        assert "An earlier attempt may have reached the endpoint." in run("show", one).output

    @pytest.mark.parametrize("state", ["delayed", "waiting", "sending", "finished", "dead"])
    def test_by_its_order_id_wherever_it_is(self, run: Run, ledger: Ledger, state: str) -> None:
        if state in ("finished", "dead"):
            outcome = Outcome.ACCEPTED if state == "finished" else Outcome.UNKNOWN
            one = ledger.end(outcome, order_id="o1", idempotency_key="k1")
        else:
            one = ledger.admit(order_id="o1", idempotency_key="k1", delay_ms=60_000 * (state == "delayed"))
            if state == "sending":
                ledger.head()
        for option, name in (("--order", "o1"), ("--key", "k1")):
            shown = json.loads(run("show", "--connector", "acct", option, name, "--json").output)
            assert (shown["id"], shown["state"]) == (one, state)

    def test_json_is_one_line_with_everything(self, run: Run, ledger: Ledger) -> None:
        one = ledger.end(Outcome.ACCEPTED, history=note(1, "accepted", "200"))
        (line,) = run("show", one, "--json").output.splitlines()
        shown = json.loads(line)
        assert (shown["outcome"], shown["why"], shown["in_doubt"]) == ("accepted", "200", False)
        assert shown["history"][0]["verdict"] == "accepted"
        assert None not in (shown["admitted_ms"], shown["due_ms"], shown["ended_ms"])

    def test_a_token_is_never_shown(self, run: Run, ledger: Ledger) -> None:
        ids = [ledger.admit(), ledger.end(Outcome.UNKNOWN, "b"), ledger.end(Outcome.ACCEPTED, "c")]
        for words in ([], ["--json"]):
            result = run("show", *ids, *words)
            assert result.exit_code == 0
            assert TOKEN not in result.output

    def test_unknown_ids_do_not_hide_the_others(self, run: Run, ledger: Ledger) -> None:
        one = ledger.admit()
        result = run("show", "nobody", one)
        assert result.exit_code == 1
        assert "nobody: there is no such signal" in result.output
        assert one in result.output

    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    def test_nothing_in_a_name_is_obeyed(self, run: Run, ledger: Ledger, name: str) -> None:
        one = ledger.admit(name, order_id=name)
        result = run("show", "--connector", name, "--order", name)
        assert one in result.output
        assert "\x1b" not in result.output
        assert "\x9b" not in result.output


@pytest.mark.parametrize("command", ["show", "drop"])
class TestNaming:
    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["id", "--connector", "acct", "--order", "o1"],
            ["id", "--order", "o1"],
            ["--connector", "acct"],
            ["--order", "o1"],
            ["--connector", "acct", "--order", ""],
            ["--connector", "", "--order", "o1"],
            ["--connector", "acct", "--order", "o1", "--key", "k1"],
        ],
        ids=" ".join,
    )
    def test_it_must_be_clear_which_is_meant(self, run: Run, command: str, arguments: list[str]) -> None:
        assert run(command, *arguments).exit_code == 2

    def test_a_name_that_nobody_holds(self, run: Run, ledger: Ledger, command: str) -> None:
        ledger.end(Outcome.REJECTED, order_id="o1")
        with pytest.raises(SignalsError, match="no signal of acct holds the clientOrderId o1 now"):
            run(command, "--connector", "acct", "--order", "o1")

    def test_help_has_examples(self, run: Run, command: str) -> None:
        assert f"signal-worker {command} --connector acct-7" in run(command, "--help").output
