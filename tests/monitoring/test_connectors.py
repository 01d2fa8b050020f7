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

BOARD = HOUSE / "helm" / "dashboards" / "connectors.json"
LATE = {"accepted": "_x8 10x4 15 20x60", "unknown": "_x12 1x60"}
"""Series of one connector, each of which begins when something ends that way for the first time."""
OLD = {"accepted": "20x70", "unknown": "1x70"}


@pytest.mark.parametrize(
    ("panel", "values", "counted"),
    [("Failed", LATE, 1), ("Outcomes", LATE, 21), ("Failed", OLD, 0), ("Outcomes", OLD, 0)],
)
def test_the_first_of_a_kind_is_counted_in_its_time(
    panel: str, values: dict[str, str], counted: int, tmp_path: Path
) -> None:
    # given
    (query,) = [one for one in queries(json.loads(BOARD.read_text())) if one.panel == panel]
    name = 'signals_connector_outcomes_total{connector="acct",instance="a",outcome="%s"}'
    test = {
        "interval": "1m",
        "input_series": [{"series": name % outcome, "values": text} for outcome, text in values.items()],
        "promql_expr_test": [
            {
                "expr": filled(query.expr, __range="30m"),
                "eval_time": "35m",
                "exp_samples": [{"labels": "{}", "value": counted}],
            }
        ],
    }
    file = tmp_path / "counts.yaml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [test]}))
    # when
    tool = [program("promtool"), "test", "rules", str(file)]
    done = subprocess.run(tool, capture_output=True, text=True, timeout=60, check=False)
    # then
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
