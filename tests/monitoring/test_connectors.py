"""What the dashboard of connectors counts, by the real ``promtool``."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.monitoring.promtool import HOUSE
from tests.monitoring.queries import filled, queries
from tests.programs import program

BOARD = json.loads((HOUSE / "helm" / "dashboards" / "connectors.json").read_text())
ACCEPTED, UNKNOWN = (
    f'signals_connector_outcomes_total{{connector="acct",instance="a",outcome="{outcome}"}}'
    for outcome in ("accepted", "unknown")
)
THERE = 'signals_threads{instance="a",kind="posting"}'
STARTED = 'process_start_time_seconds{instance="a"}'
GAP = "stale _x3"

LATE = {ACCEPTED: "_x8 10x4 15 20x60", UNKNOWN: "_x12 1x60"}
"""Series of one connector, each of which begins when something ends that way for the first time."""
OLD = {ACCEPTED: "20x70", UNKNOWN: "1x70"}
SEEN = {ACCEPTED: f"20x2 {GAP} 20x60", UNKNOWN: f"1x2 {GAP} 1x60"}
WATCHED = {THERE: "8x70", STARTED: "-9000x70"}
YOUNG = {THERE: "_x7 8x60", STARTED: "_x7 420x60"}
UNSEEN = {THERE: f"8x2 {GAP} 8x60", STARTED: f"-9000x2 {GAP} -9000x60"}


@pytest.mark.parametrize(
    ("panel", "series", "counted"),
    [
        pytest.param("Failed", LATE | WATCHED, 1, id="the first failure"),
        pytest.param("Outcomes", LATE | WATCHED, 21, id="the first outcomes"),
        pytest.param("Outcomes", LATE | YOUNG, 21, id="of a worker that is new"),
        pytest.param("Failed", OLD | WATCHED, 0, id="a failure of long ago"),
        pytest.param("Outcomes", OLD | WATCHED, 0, id="outcomes of long ago"),
        pytest.param("Outcomes", SEEN | UNSEEN, 0, id="Prometheus did not look when the range began"),
    ],
)
def test_the_first_of_a_kind_is_counted_in_its_time(
    panel: str, series: dict[str, str], counted: int, tmp_path: Path
) -> None:
    # given
    (query,) = [one for one in queries(BOARD) if one.panel == panel]
    # when, then
    _check(filled(query.expr, time_range="30m"), "35m", series, f"{{}} {counted}", tmp_path)


@pytest.mark.parametrize(
    ("panel", "series", "shown"),
    [
        pytest.param("Outcomes by connector", LATE | WATCHED, '{connector="acct"} 0.05', id="first outcomes"),
        pytest.param("Outcomes by connector", LATE | YOUNG, '{connector="acct"} 0.05', id="a new worker"),
        pytest.param("Outcomes by connector", OLD | WATCHED, '{connector="acct"} 0', id="none since long"),
        pytest.param(
            "Outcomes by connector", SEEN | UNSEEN, '{connector="acct"} 0', id="Prometheus did not look"
        ),
        pytest.param("Outcomes by how", LATE | WATCHED, '{outcome="accepted"} 0.05', id="by how"),
        pytest.param(
            "Failed and refused by connector",
            {UNKNOWN: "_x8 3x60"} | WATCHED,
            '{connector="acct"} 0.015',
            id="the only failures",
        ),
        pytest.param(
            "Failed and refused by connector", OLD | WATCHED, '{connector="none"} 0', id="no failure"
        ),
        pytest.param("Silent, but usually not", OLD | WATCHED, '{connector="none"} 0', id="nobody is silent"),
    ],
)
def test_rates_count_what_a_series_begins_with(
    panel: str, series: dict[str, str], shown: str, tmp_path: Path
) -> None:
    (query,) = [one for one in queries(BOARD) if one.panel == panel]
    # 40 s after the series begin with 10 (or 3), in a window of 200 s
    _check(filled(query.expr, interval="200s"), "8m40s", series, shown, tmp_path)


def _check(expr: str, when: str, series: dict[str, str], expected: str, folder: Path) -> None:
    """Have the real ``promtool`` ask ``expr`` of made-up series of one worker."""
    labels, value = expected.rsplit(" ", 1)
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {"expr": expr, "eval_time": when, "exp_samples": [{"labels": labels, "value": float(value)}]}
        ],
    }
    file = folder / "counts.yaml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [test]}))
    # when
    tool = [program("promtool"), "test", "rules", str(file)]
    done = subprocess.run(tool, capture_output=True, text=True, timeout=60, check=False)
    # then
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
