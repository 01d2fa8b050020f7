"""A sender notes what it is about to do before it does it, and goes on where its journal ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from chaos.sender import Journal, Sender, read_journal
from chaos.traffic import Item, Parcel
from producers.admission import Draft
from producers.receipts import Receipt, Status
from worker.errors import QueueUnavailable

NAMED = Item(7, "cold 1", "buy", "entry", {"action": "buy", "fixed": "1", "clientOrderId": "order-7"})
NAMELESS = Item(8, "cold 1", "buy", "entry", {"action": "buy", "fixed": "1"})


class Producer:
    """Fails as often as it is told to."""

    def __init__(self, journal: Path, fails: int = 0) -> None:
        self.sent: list[list[str]] = []
        self.noted: list[list[dict[str, Any]]] = []
        self._journal = journal
        self._fails = fails

    def terms(self, *, max_age: float | None) -> None:
        assert max_age is None

    def admit(self, drafts: Sequence[Draft], _: None) -> list[Receipt]:
        self.sent.append([draft.id for draft in drafts])
        self.noted.append(read_journal(self._journal))
        if len(self.sent) <= self._fails:
            raise QueueUnavailable("away")
        return [Receipt(Status.ACCEPTED, id=draft.id) for draft in drafts]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def sender(producer: Producer, path: Path) -> Sender:
    return Sender(producer, Journal(path), read_journal(path))  # type: ignore[arg-type]


def parcel(*, renames: bool) -> Parcel:
    return Parcel(0, (NAMED, NAMELESS), renames=renames)


def test_it_notes_before_it_sends(path: Path) -> None:
    producer = Producer(path)
    sender(producer, path).send(parcel(renames=False))
    (noted,) = producer.noted
    assert noted[-1]["ids"] == ["0000007.1", "0000008.1"]
    assert "told" not in noted[-1]
    assert read_journal(path)[-1]["told"] == [["accepted", None], ["accepted", None]]


def test_a_failure_is_repeated_under_the_same_ids(path: Path) -> None:
    producer = Producer(path, fails=1)
    sender(producer, path).send(parcel(renames=False))
    assert producer.sent == [["0000007.1", "0000008.1"]] * 2


def test_or_under_new_ones_which_is_safe_for_named_signals_only(path: Path) -> None:
    producer = Producer(path, fails=1)
    sender(producer, path).send(parcel(renames=True))
    assert producer.sent == [["0000007.1", "0000008.1"], ["0000007.2"]]


@pytest.mark.parametrize(("renames", "second"), [(False, ["0000007.1", "0000008.1"]), (True, ["0000007.2"])])
def test_killed_before_it_was_told(path: Path, renames: bool, second: list[str]) -> None:
    Journal(path).note(last=8, ids=["0000007.1", "0000008.1"], **{"try": 1})
    producer = Producer(path)
    again = sender(producer, path)
    assert again.last_number == 8
    again.send(parcel(renames=renames))
    assert producer.sent == [second]


def test_killed_after_it_was_told(path: Path) -> None:
    sender(Producer(path), path).send(parcel(renames=False))
    producer = Producer(path)
    sender(producer, path).send(parcel(renames=False))
    assert producer.sent == []


def test_a_line_that_was_cut_off_is_passed_over(path: Path) -> None:
    Journal(path).note(last=1, ids=[])
    with path.open("a") as journal:
        journal.write('{"at": 1, "la')
    assert [entry["last"] for entry in read_journal(path)] == [1]
