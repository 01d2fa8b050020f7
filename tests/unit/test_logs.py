"""Log lines: their form, which of them are held back, and that docs/logs.md lists every event."""

from __future__ import annotations

import ast
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.fakes import ended_of, make_head
from worker.lanes import CircuitChange, Held, Outcome, Settlement
from worker.logs import LogObserver
from worker.logs.form import JsonFormatter, TextFormatter
from worker.logs.quiet import BURST, WINDOW, Quiet
from worker.verdict import Attempt, Verdict

HOUSE = Path(__file__).parents[2]
NOT_OF_A_WORKER = {HOUSE / "worker" / "paper" / "server.py"}


def record(
    message: str, *values: object, name: str = "celery.x", level: int = 30, **fields: object
) -> logging.LogRecord:
    made = logging.LogRecord(name, level, "", 0, message, values, None)
    made.__dict__.update(fields)
    return made


class TestQuiet:
    def test_a_few_of_a_kind_pass_and_the_rest_is_counted(self) -> None:
        now = 0.0
        quiet = Quiet(lambda: now)
        passed = [quiet.filter(record("lost %s", number)) for number in range(10)]
        assert passed == [True] * BURST + [False] * (10 - BURST)
        assert quiet.filter(record("lost %s", 1, level=40)), "another level is another kind"
        assert quiet.filter(record("lost %s", 1, name="kombu")), "and so is another logger"
        now = WINDOW
        later = record("lost %s", 11)
        assert quiet.filter(later)
        assert vars(later)["repeated"] == 10 - BURST
        assert not hasattr(record("lost %s", 12), "repeated")

    def test_what_differs_in_more_than_numbers_is_another_kind(self) -> None:
        quiet = Quiet(lambda: 0.0)
        for port in range(BURST):
            assert quiet.filter(record("lost", error=f"Error 111 connecting to host:{port}"))
        assert not quiet.filter(record("lost", error="Error 111 connecting to host:99"))
        assert quiet.filter(record("lost", error="loading the dataset in memory"))

    def test_one_second_is_no_kind_of_its_own(self) -> None:
        quiet = Quiet(lambda: 0.0)
        waits = ["1.00 second", "2.00 seconds", "4.00 seconds", "1.00 second"]
        passed = [quiet.filter(record("Trying again in %s... (1/100)", wait)) for wait in waits]
        assert passed == [True] * BURST + [False]

    def test_troubles_of_different_places_are_different(self) -> None:
        quiet = Quiet(lambda: 0.0)
        assert all(quiet.filter(record("trouble", where=where)) for where in "abcdefgh")

    def test_what_tells_of_a_signal_always_passes(self) -> None:
        quiet = Quiet(lambda: 0.0)
        assert all(quiet.filter(record("outcome", id=f"{number}")) for number in range(100))

    def test_it_does_not_grow_for_ever(self) -> None:
        quiet = Quiet(lambda: 0.0)
        for number in range(5000):
            quiet.filter(record("message " + "x" * number))
        assert len(quiet._kinds) <= 1000

    @pytest.mark.parametrize(
        ("name", "kept"), [("celery.worker.consumer.consumer", False), ("worker.steps", True)]
    )
    def test_only_reconnecting_loses_its_traceback(self, name: str, kept: bool) -> None:
        error = ConnectionError("closed by server")
        made = record("lost", name=name)
        made.exc_info = (type(error), error, None)
        Quiet().filter(made)
        line = json.loads(JsonFormatter().format(made))
        assert ("exception" in line) == kept
        assert kept or line["error"] == "ConnectionError: closed by server"


class TestForm:
    def test_one_event_is_one_line(self) -> None:
        made = record("Cannot connect: %s.\nTrying again\n", "refused", where="x y")
        assert json.loads(JsonFormatter().format(made))["event"] == "Cannot connect: refused. Trying again"
        assert "\n" not in JsonFormatter().format(made)
        text = TextFormatter().format(made)
        assert text.endswith(" warning Cannot connect: refused. Trying again  where=x y")

    def test_a_terminal_obeys_no_name(self) -> None:
        text = TextFormatter().format(record("lost\x1b[2J %s", "\x07", connector="a\n\x1b[31mb\udcff"))
        assert text.endswith(" warning lost\\x1b[2J \\x07  connector=a\\n\\x1b[31mb\\udcff")


@pytest.fixture
def told() -> tuple[LogObserver, list[logging.LogRecord]]:
    heard: list[logging.LogRecord] = []

    class Ear(logging.Handler):
        def emit(self, made: logging.LogRecord) -> None:
            heard.append(made)

    logger = logging.Logger("signals", logging.INFO)
    logger.addHandler(Ear())
    return LogObserver(logger), heard


def test_what_an_operator_reads(told: tuple[LogObserver, list[logging.LogRecord]]) -> None:
    observer, heard = told
    head = make_head()
    observer.attempted(head, Attempt(Verdict.ACCEPTED, "200", 0.1), late=0.0)
    observer.ended(ended_of(Settlement(head, Outcome.ACCEPTED)))
    observer.attempted(head, Attempt(Verdict.UNKNOWN, "timeout", 0.1), late=0.0)
    observer.ended(ended_of(Settlement(head, Outcome.UNKNOWN, "timeout")))
    observer.circuit(CircuitChange("host:1", is_open=True))
    observer.circuit(CircuitChange("host:1", is_open=False))
    observer.paused(Held(entries=True, scopes=1))
    observer.paused(Held())
    assert [(made.levelname, made.getMessage()) for made in heard] == [
        ("INFO", "outcome"),
        ("WARNING", "attempt"),
        ("WARNING", "outcome"),
        ("ERROR", "circuit opened"),
        ("INFO", "circuit closed"),
        ("WARNING", "paused"),
        ("WARNING", "pause ended"),
    ]
    assert {vars(made)["id"] for made in heard[:3]} == {head.id}
    assert vars(heard[5])["entries"] is True


def events_in(source: str) -> Iterator[str]:
    """The first text of every call of a logger."""
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr not in {"debug", "info", "warning", "error", "exception", "critical", "log"}:
            continue
        if ast.unparse(node.func.value) not in {"log", "_log", "self._log"}:
            continue
        said = node.args[1 if node.func.attr == "log" else 0]
        for part in (said.body, said.orelse) if isinstance(said, ast.IfExp) else (said,):
            assert isinstance(part, ast.Constant), f"not a stable name: {ast.unparse(part)}"
            yield str(part.value)


def test_the_catalogue_lists_every_event_and_no_other() -> None:
    gateway = (HOUSE / "producers" / "gateway").rglob("*.py")
    files = {*(HOUSE / "worker").rglob("*.py"), *gateway} - NOT_OF_A_WORKER
    said = {event for file in files for event in events_in(file.read_text("utf-8"))}
    page = (HOUSE / "docs" / "logs.md").read_text("utf-8")
    listed = set(re.findall(r"^\| `([^`]+)` \|", page, re.M))
    assert listed == said
