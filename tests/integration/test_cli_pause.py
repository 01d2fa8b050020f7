"""Pausing and resuming from the command line."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner, Result

from demo.stack import eventually
from tests.integration.desk import Desk, signal
from worker.cli import group
from worker.errors import QueueUnavailable, SettingsError
from worker.lanes import Lanes, Timing
from worker.lanes.pauses import BY_PERSON

Run = Callable[..., Result]


@pytest.fixture
def run(redis_url: str, prefix: str, tmp_path: Path) -> Run:
    accounts = {"accounts": [{"name": name, "groups": ["desk"] if name != "c" else []} for name in "abc"]}
    file = tmp_path / "accounts.json"
    file.write_text(json.dumps(accounts))
    environment = {
        "SIGNALS_REDIS_URL": redis_url,
        "SIGNALS_PREFIX": prefix,
        "SIGNALS_ACCOUNTS_FILE": str(file),
        "COLUMNS": "140",
    }
    return lambda *arguments: CliRunner().invoke(group, arguments, env=environment, catch_exceptions=False)


def test_pause_and_resume(run: Run, desk: Desk) -> None:
    desk.admit(signal())
    result = run("pause", "--by", "ann", "--why", "news")
    assert (result.exit_code, result.stdout) == (0, "paused: everything\n")
    assert desk.head() is None
    result = run("resume")
    assert (result.exit_code, result.stdout) == (0, "resumed: everything\n")
    assert desk.client.llen(f"{desk.prefix}wakes") == 1, "somebody is told to look at once"
    assert desk.head() is not None


def test_scopes_add_up_and_what_stays_is_told(run: Run, desk: Desk) -> None:
    assert run("pause", "--connector", "a", "--connector", "b").stdout == (
        "paused: everything of a, everything of b\n"
    )
    assert run("pause", "--entries").stdout == "paused: entries\n"
    shown = run("status").stdout
    held = "everything of a, everything of b, entries"
    assert f"paused by a person: {held}; entries expire meanwhile" in shown
    assert "signal-worker resume --connector NAME, or --everything" in shown
    assert run("resume").stdout == ("resumed: entries\nstill paused: everything of a, everything of b\n")
    assert run("resume", "--connector", "a").stdout == (
        "resumed: everything of a\nstill paused: everything of b\n"
    )
    assert json.loads(run("resume", "--everything", "--json").stdout) == {
        "resumed": ["all:b"],
        "still_paused": [],
    }


def test_who_paused_what_when_and_why_is_shown(run: Run, desk: Desk) -> None:
    # given
    run("pause", "--entries", "--by", "zoe", "--why", "long over")
    run("resume")
    run("pause", "--entries", "--by", "ann", "--why", "news at 14:30")
    run("pause", "--entries", "--by", "bob", "--why", "the same again")  # changes nothing
    run("pause", "--group", "desk", "--by", "eve\x1b[31m", "--why", "")
    # when
    lines = [line.split() for line in run("status").stdout.splitlines()]
    told = json.loads(run("status", "--json").stdout)["paused_by"]
    # then
    (entries,) = [line for line in lines if line[:1] == ["entries"]]
    assert (entries[-4:], "ago" in entries) == (["ann", "news", "at", "14:30"], True)
    assert ["everything", "of", "a", "(group", "desk)"] in [line[:5] for line in lines]
    assert any("eve\\x1b[31m" in line for line in lines)
    by = {(one["scope"], one["label"]): (one["by"], one["why"]) for one in told}
    assert by == {
        ("entries", BY_PERSON): ("ann", "news at 14:30"),
        ("all:a", "group desk"): ("eve\x1b[31m", ""),
        ("all:b", "group desk"): ("eve\x1b[31m", ""),
    }
    now_ms = desk.redis_ms()
    assert all(0 <= now_ms - one["since_ms"] < 60_000 for one in told)


def test_a_pause_whose_beginning_is_forgotten_is_shown_all_the_same(run: Run, desk: Desk) -> None:
    run("pause", "--by", "ann")
    for number in range(1200):  # more than fit into what is read at once
        desk.client.xadd(f"{desk.prefix}acts", {"act": "discard", "id": f"{number}"})
    (shown,) = json.loads(run("status", "--json").stdout)["paused_by"]
    assert shown["by"] == "ann"
    desk.client.delete(f"{desk.prefix}acts")
    (shown,) = json.loads(run("status", "--json").stdout)["paused_by"]
    assert shown == {"scope": "all", "label": BY_PERSON, "since_ms": None, "by": "", "why": ""}
    (line,) = [line for line in run("status").stdout.splitlines() if line.startswith("everything")]
    assert line.split() == ["everything", "?", "?"]


def test_nothing_to_resume(run: Run) -> None:
    assert run("resume").stdout == "resumed: nothing\n"


def test_it_returns_when_what_is_in_flight_has_ended(run: Run, desk: Desk) -> None:
    desk.admit(signal())
    head = desk.head()
    assert head is not None
    results: list[Result] = []
    pausing = threading.Thread(target=lambda: results.append(run("pause", "--json")))
    pausing.start()
    eventually(lambda: desk.client.hlen(f"{desk.prefix}pauses"), within=10, what="it is noted")
    assert not results
    desk.settle(head, more=True)
    pausing.join(10)
    assert json.loads(results[0].stdout) == {"paused": ["all"], "waited_for": 1}


def test_it_waits_no_longer_than_a_lease(client: redis.Redis, prefix: str, redis_url: str, run: Run) -> None:
    desk = Desk(client, prefix, Timing(lease_ms=300))
    desk.admit(signal())
    assert desk.head() is not None  # and nobody ever tells how it ended
    assert run("pause").stdout == "paused: everything (waited for 1 under way)\n"


def test_the_contradictory_is_refused(run: Run) -> None:
    result = run("resume", "--everything", "--entries")
    assert result.exit_code == 2
    assert "--everything goes with none of" in result.stderr


def test_a_hostile_name_is_shown_as_text(run: Run, desk: Desk) -> None:
    output = run("pause", "--connector", "a\x1b[31m\nall").stdout
    assert output == "paused: everything of a\\x1b[31m\\nall\n"
    desk.admit(signal("other"))
    assert desk.head("other") is not None


def test_a_group_is_paused_whole_and_beside_what_else_is_paused(run: Run, desk: Desk) -> None:
    run("pause", "--connector", "a")
    assert run("pause", "--group", "desk").stdout == "paused: everything of a, everything of b\n"
    desk.admit(signal("a"), signal("b"), signal("c"))
    assert [head.lane for head in desk.lanes.checkout(["a", "b", "c"], "t").heads] == ["c"]
    assert run("resume", "--group", "desk").stdout == (
        "resumed: everything of b\nstill paused: everything of a\n"
    )
    assert desk.head("b") is not None
    assert desk.head("a") is None


def test_a_group_that_does_not_exist_is_a_clear_error(run: Run) -> None:
    with pytest.raises(SettingsError, match="no account is in the group 'desc'; there are: desk"):
        run("pause", "--group", "desc")


def test_two_ways_of_naming_connectors_are_refused(run: Run) -> None:
    assert run("pause", "--group", "desk", "--connector", "c").exit_code == 2


def test_a_name_that_nothing_waits_for_is_told(run: Run, desk: Desk) -> None:
    desk.admit(signal("acct-1"))
    result = run("pause", "--connector", "acct-*", "--connector", "acct-1")
    assert result.stderr == "note: nothing of acct-* waits now; names are taken as they stand\n"
    assert run("pause", "--connector", " ").exit_code == 2


def test_a_wait_that_is_broken_off_says_that_the_pause_stands(
    run: Run, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.admit(signal())
    assert desk.head() is not None

    def interrupt(_lanes: Lanes) -> tuple[str, ...]:
        raise KeyboardInterrupt

    monkeypatch.setattr(Lanes, "covered", interrupt)
    with pytest.raises(QueueUnavailable, match="the pause stands"):
        run("pause")
    assert desk.client.hlen(f"{desk.prefix}pauses") == 1


def test_a_resume_during_the_wait_is_not_undone(run: Run, desk: Desk) -> None:
    desk.admit(signal())
    head = desk.head()
    assert head is not None
    pausing = threading.Thread(target=run, args=("pause",))
    pausing.start()
    eventually(lambda: desk.client.hlen(f"{desk.prefix}pauses"), within=10, what="it is noted")
    # Not by a second command: what runs two of them in one process mixes up their environments.
    desk.lanes.resume(["all"], label=BY_PERSON, by="bob")
    pausing.join(10)
    assert not pausing.is_alive()
    assert desk.client.hlen(f"{desk.prefix}pauses") == 0
