"""Deciding about dead letters from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import redis
from click.testing import CliRunner, Result

from tests.integration.ledger_filling import Ledger
from worker.cli import group
from worker.lanes import Outcome, Settlement

Run = Callable[..., Result]


@pytest.fixture
def ledger(client: redis.Redis, prefix: str) -> Ledger:
    return Ledger(client, prefix)


@pytest.fixture
def run(redis_url: str, prefix: str) -> Run:
    environment = {"SIGNALS_REDIS_URL": redis_url, "SIGNALS_PREFIX": prefix, "COLUMNS": "140"}

    def run(*arguments: str, typed: str = "") -> Result:
        return CliRunner().invoke(
            group, ["dead", *arguments], env=environment, input=typed, catch_exceptions=False
        )

    return run


def state(ledger: Ledger, signal_id: str) -> str:
    found = ledger.client.hmget(ledger.key(f"signal:{signal_id}"), "state", "outcome")
    return " ".join(value.decode() for value in found if value)


def test_resend_puts_it_back_and_rings(run: Run, ledger: Ledger) -> None:
    one = ledger.end(Outcome.UNKNOWN)
    result = run("resend", one, "--yes", "--by", "ann", "--why", "not there")
    assert (result.exit_code, result.output) == (0, "resend: 1 of 1 dead letters\n")
    assert state(ledger, one) == "waiting"
    assert ledger.client.llen(ledger.key("rings")) == 1


def test_it_asks_first_and_no_means_no(run: Run, ledger: Ledger) -> None:
    one = ledger.end(Outcome.UNKNOWN)
    result = run("resend", one, typed="n\n")
    assert result.exit_code == 1
    assert "Post 1 dead letter again?" in result.output
    assert state(ledger, one) == "dead unknown"
    assert run("accept", one, typed="y\n").exit_code == 0
    assert state(ledger, one) == "finished accepted"


def test_many_by_filter(run: Run, ledger: Ledger) -> None:
    mine = [ledger.end(Outcome.UNKNOWN, "acct-1") for _ in range(3)]
    others = [ledger.end(Outcome.UNKNOWN, "acct-2"), ledger.end(Outcome.REJECTED, "acct-1")]
    result = run("discard", "--connector", "acct-1", "--reason", "unknown", "--yes", "--json")
    assert result.exit_code == 0
    told = [json.loads(line) for line in result.output.splitlines()]
    assert {one["id"] for one in told} == set(mine)
    assert {(one["act"], one["status"]) for one in told} == {("discard", "done")}
    assert {state(ledger, one) for one in mine} == {"finished discarded"}
    assert [state(ledger, one).split()[0] for one in others] == ["dead", "dead"]


def test_by_age(run: Run, ledger: Ledger) -> None:
    one = ledger.end(Outcome.UNKNOWN)
    assert run("discard", "--older", "1h", "--yes").output == "no dead letters\n"
    assert run("discard", "--newer", "1h", "--yes").exit_code == 0
    assert state(ledger, one) == "finished discarded"


def test_what_somebody_else_decided_is_told(run: Run, ledger: Ledger) -> None:
    one = ledger.end(Outcome.UNKNOWN)
    assert run("discard", one, "--yes").exit_code == 0
    result = run("resend", one, "--yes")
    assert result.exit_code == 1
    assert "no dead letter (any more)" in result.output


def test_an_id_in_use_forbids_a_resend(run: Run, ledger: Ledger) -> None:
    one = ledger.end(Outcome.REJECTED, order_id="o1")
    ledger.admit(order_id="o1")
    result = run("resend", one, "--yes")
    assert result.exit_code == 1
    assert "belongs to another signal" in result.output


@pytest.mark.parametrize("arguments", [[], ["some-id", "--reason", "unknown"]])
def test_all_letters_are_never_chosen_by_accident(run: Run, arguments: list[str]) -> None:
    assert run("resend", "--yes", *arguments).exit_code == 2


def test_the_act_shows_in_the_history(run: Run, ledger: Ledger) -> None:
    one = ledger.end(Outcome.REJECTED)
    run("resend", one, "--yes", "--by", "ann", "--why", "token mended")
    head = ledger.head()
    ledger.lanes.settle([Settlement(head, Outcome.UNKNOWN, "timeout")])
    shown = run("show", one)
    assert "by ann: token mended" in shown.output
