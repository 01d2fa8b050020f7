"""Files that are read again when they change."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.errors import SettingsError
from worker.watched import LOOK_EVERY, Watched


class Case:
    """A watched file of two lines: what it says, and the name of a file beside it (or nothing)."""

    def __init__(self, folder: Path) -> None:
        self.now = 100.0
        self.reads = 0
        self.file = folder / "main"
        self.file.write_text("one\n")
        self.watched = Watched(self.file, self.read, clock=lambda: self.now)

    def read(self, path: Path) -> tuple[str, list[Path]]:
        self.reads += 1
        said, beside = path.read_text().split("\n")
        if said == "bad":
            raise SettingsError("it is bad")
        if not beside:
            return said, []
        other = path.parent / beside
        if not other.exists():
            raise SettingsError(f"there is no {beside}")
        return said + other.read_text(), [other]

    def later(self) -> str:
        self.now += LOOK_EVERY
        return self.watched.current()


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_a_change_is_seen_after_a_second_and_not_before(case: Case) -> None:
    case.file.write_text("two\n")
    assert case.watched.current() == "one"
    assert case.later() == "two"
    assert (case.watched.reloads, case.watched.failures) == (1, 0)


def test_a_file_that_stays_is_not_read_again(case: Case) -> None:
    for _ in range(5):
        case.later()
    assert case.reads == 1


def test_a_replaced_file_is_seen_behind_its_link(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_text(name)
    (tmp_path / "link").symlink_to("old")
    now = [0.0]
    watched = Watched(tmp_path / "link" / "f", lambda path: (path.read_text(), ()), clock=lambda: now[0])
    (tmp_path / "next").symlink_to("new")
    (tmp_path / "next").rename(tmp_path / "link")  # as Kubernetes changes a mounted Secret
    now[0] += LOOK_EVERY
    assert watched.current() == "new"


@pytest.mark.parametrize("trouble", ["bad\n", "x\nmissing"])
def test_a_broken_file_leaves_the_old_content_and_is_told_once(
    case: Case, caplog: pytest.LogCaptureFixture, trouble: str
) -> None:
    case.file.write_text(trouble)
    for _ in range(3):
        assert case.later() == "one"
    assert case.watched.failing() in ("it is bad", "there is no missing")
    assert (case.watched.reloads, case.watched.failures) == (0, 1)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    case.file.write_text("three\n")
    assert case.later() == "three"
    assert case.watched.failing() is None


def test_a_file_that_is_gone_is_a_broken_one(case: Case) -> None:
    with pytest.raises(OSError, match="No such file"):
        Watched(case.file.parent / "none", case.read)


def test_files_beside_it_are_watched_too(case: Case) -> None:
    beside = case.file.parent / "beside"
    case.file.write_text("two\nbeside")
    assert case.later() == "one", "what is missing"
    beside.write_text("+a")
    assert case.later() == "two+a", "is found when it comes, though the file itself has not changed"
    beside.write_text("+bb")
    assert case.later() == "two+bb"
    beside.unlink()
    assert case.later() == "two+bb"
    assert case.watched.failing() == "there is no beside"


def test_looking_takes_no_more_than_its_share_of_the_time(tmp_path: Path) -> None:
    now = [0.0]

    def slow(path: Path) -> tuple[str, list[Path]]:
        now[0] += 2.0
        return path.read_text(), []

    file = tmp_path / "f"
    file.write_text("a")
    watched = Watched(file, slow, clock=lambda: now[0])
    file.write_text("bb")
    now[0] += LOOK_EVERY
    assert watched.current() == "bb"
    file.write_text("ccc")
    now[0] += 50
    assert watched.current() == "bb"
    now[0] += 60
    assert watched.current() == "ccc"
