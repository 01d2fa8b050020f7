"""Loading a file through a sender that only takes notes: progress, rejects, going on."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from producers import Interrupted, Receipt
from producers.admission import Draft, Prepared, Terms, prepare, receipt_for, refusal
from producers.errors import LoadError
from producers.load import loader as loader_module
from producers.load.loader import Job, Loader
from producers.load.progress import Progress
from producers.load.rejects import Reject
from producers.producer import CALL
from worker.contract import Rules
from worker.errors import InvalidSignal, QueueUnavailable
from worker.lanes import Admitted
from worker.policy import Policy

TOKEN = "0e9f7a52-8d53-4c6a-9f0e-3b1f7a2c4d5e"
WINDOW = 3600.0


class Cut(BaseException):
    """Stands for a kill: nothing of ours runs after it."""


class NotedCall:
    """Is admitted as soon as it is begun, as by a queue that takes its time to answer."""

    def __init__(self, admit: Callable[[], list[Receipt]]) -> None:
        self._admit = admit
        self._end: Callable[[], list[Receipt]] = list

    def begin(self) -> None:
        try:
            receipts = self._admit()
        except QueueUnavailable as error:
            self._end = partial(_fail, error)
        else:
            self._end = lambda: receipts

    def end(self) -> list[Receipt]:
        return self._end()

    def drop(self) -> None:
        """It has been taken all the same."""


def _fail(error: QueueUnavailable) -> list[Receipt]:
    raise error


class NotedSender:
    """Takes every id once, like the queue."""

    def __init__(self) -> None:
        self.taken: dict[str, Draft] = {}
        self.room = 1_000_000
        self.calls = 0
        self.before: Callable[[int], None] = lambda call: None
        self.after: Callable[[int], None] = lambda call: None

    def ready(self, drafts: list[Draft], terms: Terms) -> NotedCall:
        return NotedCall(lambda: self.admit(drafts, terms))

    def admit(self, drafts: list[Draft], terms: Terms) -> list[Receipt]:
        self.calls += 1
        self.before(self.calls)
        receipts = [self._admit(draft, terms) for draft in drafts]
        self.after(self.calls)
        return receipts

    def _admit(self, draft: Draft, terms: Terms) -> Receipt:
        prepared = prepare(draft, terms)
        if isinstance(prepared, InvalidSignal):
            return refusal(prepared)
        if prepared.admission.connector == "taken":
            return receipt_for(prepared, Admitted("conflict", "id0", "waiting"))
        assert isinstance(prepared, Prepared)
        if len(self.taken) >= self.room:
            return receipt_for(prepared, Admitted("full"))
        self.taken[draft.id] = draft
        return receipt_for(prepared, Admitted("accepted"))


class NotedWatcher:
    def __init__(self) -> None:
        self.begun_at: list[int] = []
        self.places: list[int] = []
        self.lines_refused: list[int] = []
        self.waited_for: list[int] = []
        self.warnings: list[tuple[int, str]] = []

    def begun(self, progress: Progress) -> None:
        self.begun_at.append(progress.place.line)

    def advanced(self, progress: Progress) -> None:
        self.places.append(progress.place.line)

    def waiting(self, signals: int) -> None:
        self.waited_for.append(signals)

    def refused(self, reject: Reject) -> None:
        self.lines_refused.append(reject.row.line)

    def warned(self, line: int, text: str) -> None:
        self.warnings.append((line, text))


class Desk:
    """A file, a sender, a clock, and what is left on the disk."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "signals.jsonl"
        self.progress_path = folder / "progress.json"
        self.rejects_path = folder / "rejected.jsonl"
        self.sender = NotedSender()
        self.watcher = NotedWatcher()
        self.now = 1_000_000.0
        self.stop = False
        self.on_sleep: Callable[[], None] = lambda: None

    def write(self, *lines: object) -> None:
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        self.path.write_text("".join(f"{text}\n" for text in texts))

    def load(self, **changes: Any) -> Progress:
        terms = Terms(rules=Rules(), policy=Policy(), window=changes.pop("window", WINDOW))
        job = Job(self.path, "jsonl", self.progress_path, self.rejects_path, terms, **changes)
        self.watcher = NotedWatcher()
        return Loader(
            job,
            self.sender,
            self.watcher,
            stop=lambda: self.stop,
            clock=lambda: self.now,
            sleep=lambda _seconds: self.on_sleep(),
        ).run()

    def cut(self, **changes: Any) -> None:
        with pytest.raises(Cut):
            self.load(**changes)

    @property
    def rejects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.rejects_path.read_text().splitlines()]

    @property
    def keys(self) -> list[str]:
        return [str(draft.key) for draft in self.sender.taken.values()]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(loader_module, "BATCH", 2)
    return Desk(tmp_path)


def order(number: int, connector: str = "alpha", **fields: Any) -> dict[str, Any]:
    return {"connectorName": connector, "action": "buy", "percent": "1", "log": str(number), **fields}


def cut_at(number: int) -> Callable[[int], None]:
    def cut(call: int) -> None:
        if call == number:
            raise Cut

    return cut


def test_a_file_is_loaded_and_counted(desk: Desk) -> None:
    bad = f'{{"connectorName":"a","connectorToken":"{TOKEN}","perecnt":1}}'
    desk.write(order(1), bad, "", order(4, "taken"), order(5, percent=None))

    progress = desk.load()

    counters = progress.counters
    assert (progress.state, progress.place.line) == ("done", 5)
    assert (counters.accepted, counters.invalid, counters.conflict, counters.warned) == (2, 1, 1, 1)
    assert (counters.signals, counters.refused) == (4, 2)
    assert desk.watcher.lines_refused == [2, 4]
    assert [line for line, _ in desk.watcher.warnings] == [5]
    assert desk.keys == [f"load:{progress.run}:1", f"load:{progress.run}:5"]
    assert Progress.read(desk.progress_path) == progress


def test_lines_set_aside_are_whole_and_private(desk: Desk) -> None:
    bad = f'{{"connectorName":"a","connectorToken":"{TOKEN}","perecnt":1}}'
    desk.path.write_bytes(f"{bad}\n".encode() + b'{"log":"\xff"}\n')

    progress = desk.load()

    first, second = desk.rejects
    assert first == {
        "run": progress.run,
        "line": 1,
        "status": "invalid",
        "error": "unknown field `perecnt`: did you mean `percent`?",
        "text": bad,
    }
    assert second["text"].encode("utf-8", "surrogateescape") == b'{"log":"\xff"}'
    assert stat.S_IMODE(desk.rejects_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(desk.progress_path.stat().st_mode) == 0o600
    assert TOKEN not in desk.progress_path.read_text()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_killed_load_goes_on_with_the_same_names(desk: Desk, moment: str) -> None:
    desk.write(order(1), order(2), order(3), "bad", order(5))
    setattr(desk.sender, moment, cut_at(2))
    desk.cut()
    setattr(desk.sender, moment, lambda call: None)

    progress = desk.load()

    assert (progress.state, desk.watcher.begun_at, desk.watcher.places) == ("done", [2], [4, 5])
    assert len(desk.sender.taken) == 4
    assert sorted(desk.keys) == [progress.key(line) for line in (1, 2, 3, 5)]
    assert (progress.counters.accepted, progress.counters.invalid) == (4, 1)
    assert [item["line"] for item in desk.rejects] == [4]


def test_a_kill_before_the_first_batch_is_noted_keeps_the_run(desk: Desk) -> None:
    desk.write(order(1))
    desk.sender.after = cut_at(1)
    desk.cut()
    desk.sender.after = lambda call: None
    desk.load()
    assert len(desk.sender.taken) == 1


def test_a_kill_between_rejects_and_progress_sets_no_line_aside_twice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.write("bad", order(2))
    saves: list[str] = []
    save = Progress.save

    def cut(self: Progress, path: Path) -> None:
        saves.append(self.state)
        if len(saves) == 2:
            raise Cut
        save(self, path)

    monkeypatch.setattr(Progress, "save", cut)
    desk.cut()
    with desk.rejects_path.open("a") as file:
        file.write('{"cut off')

    desk.load()

    lines = desk.rejects_path.read_text().splitlines()
    assert [json.loads(line)["line"] for line in lines if line.endswith("}")] == [1]


def test_stopping_waits_for_the_batch_and_can_be_gone_on_with_much_later(desk: Desk) -> None:
    desk.write(order(1), order(2), order(3))
    desk.stop = True
    assert desk.load().state == "stopped"
    assert len(desk.sender.taken) == 2
    desk.stop = False
    desk.now += 10 * WINDOW
    assert desk.load().state == "done"
    assert len(desk.sender.taken) == 3


def test_trouble_with_redis_is_one_line_and_resumable(desk: Desk) -> None:
    desk.write(order(1), order(2), order(3))

    def fail(call: int) -> None:
        if call == 2:
            raise QueueUnavailable("Redis does not answer:\nrefused.")

    desk.sender.before = fail
    with pytest.raises(Interrupted, match="stopped behind line 2: run the same command") as caught:
        desk.load()
    assert isinstance(caught.value, QueueUnavailable)
    assert "\n" not in str(caught.value)
    assert desk.load().counters.accepted == 3


def test_a_loaded_file_is_not_loaded_again_by_accident(desk: Desk) -> None:
    desk.write(order(1))
    first = desk.load()
    with pytest.raises(LoadError, match=r"loaded already \(1 signals\).*--again"):
        desk.load()
    assert desk.load(again=True).run != first.run
    assert len(desk.sender.taken) == 2


@pytest.mark.parametrize("finished", [True, False])
def test_a_changed_file_is_refused(desk: Desk, finished: bool) -> None:
    desk.write(order(1), order(2), order(3))
    desk.stop = not finished
    desk.load()
    desk.write(order(1), order(2), order(4))
    with pytest.raises(LoadError, match=r"has changed since its load began: .* --again"):
        desk.load()


def test_a_file_that_changes_while_it_is_loaded_is_not_called_done(desk: Desk) -> None:
    desk.write(order(1))

    def append(call: int) -> None:
        with desk.path.open("a") as file:
            file.write("{}\n")

    desk.sender.before = append
    with pytest.raises(LoadError, match="changed while it was loaded"):
        desk.load()


@pytest.mark.parametrize(("unsure", "lines"), [("send", {1, 2, 3}), ("skip", {1, 2})])
def test_a_batch_that_the_queue_has_forgotten_is_left_to_a_person(
    desk: Desk, unsure: str, lines: set[int]
) -> None:
    desk.write(order(1), order(2), order(3))
    desk.sender.before = cut_at(2)
    desk.cut()
    desk.sender.before = lambda call: None
    desk.now += WINDOW
    with pytest.raises(LoadError, match="cut off in the batch behind line 2, longer ago than"):
        desk.load()

    progress = desk.load(unsure=unsure)

    assert {int(key.rpartition(":")[2]) for key in desk.keys} == lines
    assert progress.counters.unsure == 3 - len(lines)
    if unsure == "skip":
        (aside,) = desk.rejects
        assert (aside["line"], aside["status"]) == (3, "unsure")


def test_trying_in_vain_does_not_make_the_queue_remember_longer(desk: Desk) -> None:
    desk.write(order(1))
    desk.sender.before = cut_at(1)
    desk.cut()
    desk.now += WINDOW * 0.6
    desk.sender.before = cut_at(2)
    desk.cut(window=10 * WINDOW)
    desk.now += WINDOW * 0.6
    with pytest.raises(LoadError, match="is not known"):
        desk.load(window=10 * WINDOW)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"version": 1}', '{"version": 1, "run": 5}', "\x00", '{"version": 1,']
)
def test_a_damaged_progress_file_is_told_of(desk: Desk, text: str) -> None:
    desk.write(order(1))
    desk.progress_path.write_text(text)
    with pytest.raises(LoadError, match="is damaged"):
        desk.load()
    assert desk.sender.taken == {}


def test_a_progress_file_of_another_version_is_told_of(desk: Desk) -> None:
    desk.write(order(1))
    desk.progress_path.write_text('{"version": 2}')
    with pytest.raises(LoadError, match="another version"):
        desk.load()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"[\n{}\n]", "is a JSON array"),
        (b'{\n "connectorName": "a"\n}', "over several lines"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8 text"),
        (b"\x1f\x8b\x08\x00", "not UTF-8 text"),
    ],
)
def test_files_that_would_only_give_errors_are_refused_whole(desk: Desk, data: bytes, why: str) -> None:
    desk.path.write_bytes(data)
    with pytest.raises(LoadError, match=why):
        desk.load()
    assert not desk.progress_path.exists()


def test_files_that_cannot_be_opened(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="cannot be read: No such file"):
        desk.load()
    desk.path.mkdir()
    with pytest.raises(LoadError, match="cannot be read: Is a directory"):
        desk.load()
    desk.path = Path("/dev/null")
    with pytest.raises(LoadError, match="not a regular file"):
        desk.load()


def test_two_loads_at_once_are_refused(desk: Desk) -> None:
    desk.write(order(1))
    failures: list[str] = []

    def other(call: int) -> None:
        with pytest.raises(LoadError) as caught:
            desk.load()
        failures.append(str(caught.value))

    desk.sender.before = other
    desk.load()
    assert "is being loaded by another process" in failures[0]


def test_where_nothing_can_be_written_nothing_is_sent(desk: Desk, tmp_path: Path) -> None:
    desk.write(order(1))
    desk.progress_path = tmp_path / "no folder" / "progress.json"
    with pytest.raises(LoadError, match="choose another place with --state-dir"):
        desk.load()
    assert desk.sender.taken == {}


def test_an_empty_file_is_done_at_once(desk: Desk) -> None:
    desk.write()
    assert desk.load().state == "done"
    assert not desk.rejects_path.exists()


def test_a_full_lane_is_waited_for_and_order_holds(desk: Desk) -> None:
    desk.write(*(order(n) for n in range(5)))
    desk.sender.room = 1

    def make_room() -> None:
        desk.sender.room += 1

    desk.on_sleep = make_room
    progress = desk.load()
    assert (progress.state, progress.counters.accepted, progress.counters.refused) == ("done", 5, 0)
    assert [key.split(":")[-1] for key in desk.keys] == ["1", "2", "3", "4", "5"]
    assert desk.watcher.waited_for == [1, 2, 1, 1]


def test_nothing_of_a_batch_overtakes_what_found_no_room(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    # given: a batch that is sent in several calls, and room that there is again after the first of them
    monkeypatch.setattr(loader_module, "BATCH", 500)
    desk.write(*(order(n) for n in range(CALL * 2 + 50)))
    desk.sender.room = CALL - 10

    def make_room(_: int) -> None:
        desk.sender.room = 1_000_000

    desk.sender.after = make_room
    # when
    progress = desk.load()
    # then
    assert (progress.state, progress.counters.accepted) == ("done", CALL * 2 + 50)
    assert [int(key.split(":")[-1]) for key in desk.keys] == list(range(1, CALL * 2 + 51))


def test_a_wish_to_stop_ends_the_wait_and_the_same_load_goes_on(desk: Desk) -> None:
    desk.write(*(order(n) for n in range(4)))
    desk.sender.room = 1

    def stop() -> None:
        desk.stop = True

    desk.on_sleep = stop
    with pytest.raises(LoadError, match="waiting for room: run the same command to go on"):
        desk.load()
    desk.stop, desk.sender.room = False, 100
    assert desk.load().counters.accepted == 4
    assert len(desk.sender.taken) == 4
