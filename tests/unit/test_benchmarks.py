"""What the benchmarks conclude from numbers. The numbers themselves are for `make bench`."""

from __future__ import annotations

import json
import signal
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import plot, programme
from benchmarks.goals import GOALS, verdicts
from benchmarks.samples import CEILING, CPU, NAIVE, OURS, Samples, Spread, percentile
from benchmarks.scenarios.scale import ONE, PAIR, TWO
from benchmarks.scenarios.throughput import CORE_USED, FAN_OUT, SLOW, THREADS_USED, with_threads
from benchmarks.sink import Book, Sink


class Wire:
    def __init__(self) -> None:
        self.said = b""

    def write(self, data: bytes) -> None:
        self.said += data


def request(method: str, path: str, body: str = "") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def an_order(connector: str, name: str) -> str:
    return json.dumps({"connectorName": connector, "clientOrderId": name})


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def wire(book: Book) -> Wire:
    return Wire()


@pytest.fixture
def sink(book: Book, wire: Wire) -> Sink:
    sink = Sink(book)
    sink.connection_made(wire)  # type: ignore[arg-type]
    return sink


def test_ratios_are_taken_within_a_round() -> None:
    samples = Samples()
    for theirs, ours in ((300.0, 100.0), (3000.0, 500.0)):
        samples.add(FAN_OUT, NAIVE, cpu=theirs)
        samples.add(FAN_OUT, OURS, cpu=ours)

    assert samples.ratios(FAN_OUT, CPU, NAIVE, OURS) == [3.0, 6.0]


def test_a_goal_is_judged_by_its_median_and_only_if_it_was_measured() -> None:
    samples = Samples()
    for theirs in (200.0, 400.0, 250.0):
        samples.add(FAN_OUT, NAIVE, cpu=theirs)
        samples.add(FAN_OUT, CEILING, cpu=100.0)
        samples.add(FAN_OUT, OURS, cpu=100.0)

    told = {one.goal.text: one for one in verdicts(samples)}

    assert set(told) == {"fan-out: by naive Celery", "fan-out: share of the ceiling"}
    assert not told["fan-out: by naive Celery"].met
    assert told["fan-out: by naive Celery"].seen == Spread(2.5, 2.0, 4.0)
    assert told["fan-out: share of the ceiling"].met


def test_a_slow_endpoint_may_leave_threads_idle_only_if_the_core_is_full() -> None:
    samples = Samples()
    for threads, core in ((0.95, 0.4), (0.5, 0.98), (0.5, 0.6)):
        samples.put(SLOW, with_threads(512), THREADS_USED, threads)
        samples.put(SLOW, with_threads(512), CORE_USED, core)
    goal = next(one for one in GOALS if one.text == "slow endpoint, 512 threads: likewise")

    assert goal.seen(samples) == [0.95, 0.98, 0.6]


def test_two_workers_are_twice_one_if_a_signal_costs_no_more() -> None:
    samples = Samples()
    for one, two in ((300.0, 300.0), (300.0, 400.0)):
        samples.add(PAIR, ONE, cpu=one)
        samples.add(PAIR, TWO, cpu=two)
    goal = next(one for one in GOALS if one.text.startswith("two workers"))

    assert goal.seen(samples) == [2.0, 1.5]


def test_goals_have_names_of_their_own() -> None:
    assert len({goal.text for goal in GOALS}) == len(GOALS)


@pytest.mark.parametrize(("mark", "value"), [(0.5, 51), (0.99, 100), (1.0, 100)])
def test_percentiles(mark: float, value: int) -> None:
    assert percentile(list(range(100, 0, -1)), mark) == value


def test_a_plot_is_drawn_of_what_was_compared(tmp_path: Path) -> None:
    samples = Samples()
    samples.add(FAN_OUT, OURS, cpu=100.0)
    samples.add(FAN_OUT, NAIVE, cpu=300.0)
    samples.add("alone", OURS, cpu=1.0)

    plot.write(samples, tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["fan-out.svg"]
    words = "".join(ET.parse(tmp_path / "fan-out.svg").getroot().itertext())
    assert NAIVE in words
    assert "300" in words


def test_scenarios_have_names_of_their_own() -> None:
    assert not set(programme.full()) & set(programme.once())
    assert set(programme.quick()) <= set(programme.full())


def test_the_sink_knows_who_came_and_who_came_twice(sink: Sink, wire: Wire) -> None:
    # When two orders come, one of them again, together and in pieces
    sink.data_received(request("POST", "/", an_order("a", "1")) + request("POST", "/", an_order("a", "2")))
    again = request("POST", "/", an_order("a", "1"))
    sink.data_received(again[:60])
    assert wire.said.count(b"ok") == 2
    sink.data_received(again[60:])

    # Then all are answered and none is mistaken for another
    assert wire.said.count(b"\r\n\r\nok") == 3
    wire.said = b""
    sink.data_received(request("GET", "/record"))
    told = json.loads(wire.said.partition(b"\r\n\r\n")[2])
    assert (told["posts"], told["distinct"]) == (3, 2)


def test_the_sink_forgets(sink: Sink, book: Book) -> None:
    sink.data_received(request("POST", "/", an_order("a", "1")))
    sink.data_received(request("DELETE", "/"))

    assert book.orders() == []


def test_the_sink_is_slow_to_all_or_to_one(sink: Sink, book: Book) -> None:
    sink.data_received(request("PUT", "/", '{"delay": 0.2, "hang": "a"}'))

    assert book.wait(an_order("b", "1").encode()) == 0.2
    assert book.wait(an_order("a", "1").encode()) > 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--rounds", "0"], "--rounds: must be a whole number from 1"),
        (["--rounds", "-1"], "--rounds: must be a whole number from 1"),
        (["--scale", "0"], "--scale: must be from 0.01"),
        (["--scale", "nan"], "--scale: must be from 0.01"),
        (["--scale", "inf"], "--scale: must be from 0.01"),
        (["--scale", "much"], "--scale: must be from 0.01"),
    ],
)
def test_what_cannot_be_measured_is_wrong_usage(
    arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        command._options(arguments)
    assert caught.value.code == 2
    assert f"python -m benchmarks: error: argument {why}" in capsys.readouterr().err


def test_help_says_where_results_go(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command._options(["--help"])
    assert "default: benchmarks/results" in " ".join(capsys.readouterr().out.split())


def test_sigterm_gives_up_as_ctrl_c_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cleaned_up: list[bool] = []

    def play(*_: object, **__: object) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            cleaned_up.append(True)

    def not_handled(*_: object) -> None:
        pytest.fail("SIGTERM was not looked after")

    monkeypatch.setattr(command, "_play", play)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--results", str(tmp_path)])
    before = signal.signal(signal.SIGTERM, not_handled)
    try:
        with pytest.raises(SystemExit, match="given up"):
            command.main()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert cleaned_up
