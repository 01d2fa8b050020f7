"""What is shown while a file is loaded."""

from __future__ import annotations

import io

from rich.console import Console

from producers.cli.bar import SHOWN, Bar
from producers.load.lines import Place
from producers.load.progress import Counters, Progress
from producers.load.rejects import Reject
from producers.load.rows import Row
from producers.load.source import Identity

START = Progress(identity=Identity(1000, 0, ""), window=1, saved_at=0)
HALF = Progress(
    identity=START.identity,
    window=1,
    saved_at=0,
    place=Place(500, 5),
    counters=Counters(accepted=4, invalid=1),
)


def shown(*, terminal: bool, start: Progress = START) -> str:
    out = io.StringIO()
    with Bar(Console(file=out, force_terminal=terminal, width=100, highlight=False)) as bar:
        bar.begun(start)
        for line in range(1, 31):
            row = Row(line, Place(), b"", b"secret")
            bar.refused(Reject(row, "invalid", "no [bold]markup[/bold] " + "x" * 100))
            bar.warned(line, "odd")
        bar.advanced(HALF)
        assert bar.before == start.counters.signals
    return out.getvalue()


def test_only_the_first_lines_are_told_of() -> None:
    lines = shown(terminal=False).splitlines()
    assert lines[0] == "line 1: invalid: no [bold]markup[/bold] " + "x" * 100
    assert lines[1] == "line 1: warning: odd"
    assert sum("invalid" in line for line in lines) == SHOWN
    assert lines[-2] == "further refused lines: see the file they are set aside in"
    assert lines[-1] == "further warnings are not shown"
    assert "secret" not in "".join(lines)


def test_a_bar_only_on_a_terminal() -> None:
    assert "loading" not in shown(terminal=False)
    text = shown(terminal=True)
    assert "4 signals" not in text
    assert "5 signals, 1 set aside" in text
    assert "500/1,000 bytes" in text or "0.5/1.0 kB" in text


def test_going_on_is_said() -> None:
    assert shown(terminal=False, start=HALF).startswith("going on behind line 5\n")
