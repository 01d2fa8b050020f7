"""Rows of a file that are addressed to a group of the accounts file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from producers.admission import Draft, Terms
from producers.load.loader import Job, Loader
from producers.load.progress import Progress
from producers.load.trial import try_out
from producers.producer import BATCH, CALL
from tests.unit.producers.test_load_loader import Cut, NotedSender, NotedWatcher
from worker.accounts import Account, Accounts
from worker.contract import Rules
from worker.policy import Policy

ACCOUNTS = Accounts(
    [
        Account.model_validate({"name": "alpha", "token": "ta", "groups": ["desk"]}),
        Account.model_validate({"name": "off", "token": "to", "enabled": False, "groups": ["desk"]}),
        Account.model_validate({"name": "taken", "token": "tt", "groups": ["desk"]}),
        Account.model_validate({"name": "beta", "token": "tb", "groups": ["desk"]}),
    ],
    [],
)
MEMBERS = [one.name for one in ACCOUNTS.members("desk")]
TERMS = Terms(rules=Rules(), policy=Policy(), window=3600.0, needs_token=True, accounts=lambda: ACCOUNTS)


class Desk:
    """A file, and what is beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sender = NotedSender()

    def load(self, name: str, text: str, terms: Terms = TERMS) -> Progress:
        path = self.folder / name
        if not path.exists():
            path.write_text(text)
        form = path.suffix.removeprefix(".")
        job = Job(path, form, self.folder / "progress", self.folder / "rejects", terms)
        return Loader(job, self.sender, NotedWatcher()).run()

    @property
    def rejects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "rejects").read_text().splitlines()]

    @property
    def sent(self) -> list[tuple[str, str]]:
        return [(draft.source["connectorName"], str(draft.key).split(":")[-1]) for draft in self.drafts]  # type: ignore[index]

    @property
    def drafts(self) -> list[Draft]:
        return list(self.sender.taken.values())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def line(**fields: Any) -> str:
    return json.dumps({"group": "desk", "action": "openLong", "fixed": "0.10", **fields}) + "\n"


def test_a_row_for_a_group_goes_to_each_member(desk: Desk) -> None:
    progress = desk.load("s.jsonl", line() + line(action="closeLong", fixed=None, percent=50))
    assert desk.sent == [("alpha", "1"), ("beta", "1"), ("alpha", "2"), ("beta", "2")]
    assert len({draft.id for draft in desk.drafts}) == 4
    assert (progress.place.line, progress.counters.accepted) == (2, 4)


def test_csv_may_have_a_column_for_groups(desk: Desk) -> None:
    rows = "group,connectorName,action,fixed\ndesk,,openLong,1\n,alpha,openLong,2\n"
    assert desk.load("s.csv", rows).counters.accepted == 3
    assert desk.sent == [("alpha", "2"), ("beta", "2"), ("alpha", "3")]


def test_what_a_member_did_not_take_is_set_aside_for_that_one(desk: Desk) -> None:
    # given: numbers that no float holds
    progress = desk.load("s.jsonl", '{"group": "desk", "action": "openLong", "fixed": 0.10}\n')
    # then
    assert (progress.counters.accepted, progress.counters.invalid, progress.counters.conflict) == (2, 1, 1)
    assert [(one["line"], one["connector"], one["status"]) for one in desk.rejects] == [
        (1, "off", "invalid"),
        (1, "taken", "conflict"),
    ]
    mended = json.loads(desk.rejects[0]["text"])
    assert mended == {"connectorName": "off", "action": "openLong", "fixed": "0.10"}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"group": "nobody"}, "has no members"), ({"connectorName": "alpha"}, "exclude each other")],
)
def test_a_row_that_cannot_be_spread_is_set_aside_as_it_is(
    desk: Desk, fields: dict[str, str], reason: str
) -> None:
    text = line(**fields)
    assert desk.load("s.jsonl", text).counters.invalid == 1
    (reject,) = desk.rejects
    assert reason in reject["error"]
    assert (reject["text"], "connector" in reject) == (text.strip(), False)


def test_without_an_accounts_file_it_is_said_what_is_missing(desk: Desk) -> None:
    terms = Terms(rules=Rules(), policy=Policy(), window=3600.0)
    assert desk.load("s.jsonl", line(), terms).counters.invalid == 1
    assert "SIGNALS_ACCOUNTS_FILE" in desk.rejects[0]["error"]


def test_a_load_that_was_cut_off_goes_on_without_doubling_a_member(desk: Desk) -> None:
    # given: all of a batch was taken, and its sender died before it noted that
    def die(_: int) -> None:
        raise Cut

    desk.sender.after = die
    with pytest.raises(Cut):
        desk.load("s.jsonl", line() * 3)
    before = {draft.id for draft in desk.drafts}
    # when
    desk.sender.after = lambda _: None
    progress = desk.load("s.jsonl", "")
    # then
    assert {draft.id for draft in desk.drafts} == before
    assert len(before) == progress.counters.accepted == 6
    assert [(one["line"], one["connector"]) for one in desk.rejects] == [
        (number, name) for number in (1, 2, 3) for name in ("off", "taken")
    ]


def test_a_batch_never_ends_between_two_members(desk: Desk) -> None:
    # given: more signals than a batch holds, and a sender that dies after its first batch
    calls = -(-(-(-BATCH // len(MEMBERS)) * len(MEMBERS)) // CALL)

    def die(call: int) -> None:
        if call > calls:
            raise Cut

    desk.sender.before = die
    with pytest.raises(Cut):
        desk.load("s.jsonl", line() * 300)
    # then: it had been noted behind a whole row
    noted = Progress.read(desk.folder / "progress")
    assert noted is not None
    assert noted.counters.signals == noted.place.line * len(MEMBERS) >= BATCH
    # and: all is taken in the end
    desk.sender.before = lambda _: None
    assert desk.load("s.jsonl", "").counters.signals == 300 * len(MEMBERS)


def test_other_rows_are_not_even_read(desk: Desk) -> None:
    # A name that only looks like it is left to the check, which refuses unknown fields.
    assert desk.load("s.jsonl", '{"gr\\u006fup": "desk", "action": "buy"}\n').counters.invalid == 1
    assert "unknown field" in desk.rejects[0]["error"]


def test_a_dry_run_shows_the_members(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(line() * 2)
    trial = try_out(path, "jsonl", TERMS, NotedWatcher(), stop=lambda: False)
    assert {name: account.signals for name, account in trial.accounts.items()} == {
        "alpha": 2,
        "taken": 2,
        "beta": 2,
    }
    assert (trial.lines, trial.invalid) == (2, 2)
