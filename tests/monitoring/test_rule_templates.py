"""The rules as the chart gets them, rendered by real Helm."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_python import Chart

from monitoring.narrow import narrow
from tests.monitoring.promtool import HOUSE, RULES
from tests.programs import program

TEMPLATE = (
    '{{- range $path, $_ := .Files.Glob "rules/*.tpl" }}\n---\n{{ tpl ($.Files.Get $path) $ }}\n{{- end }}\n'
)
OURS = 'namespace="trading",release="desk"'


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """As small as can be; the real one does the same within a PrometheusRule."""
    folder = tmp_path / "chart"
    for name, text in {
        "Chart.yaml": "apiVersion: v2\nname: tiny\nversion: 0.1.0\n",
        "templates/rules.yaml": TEMPLATE,
        **{f"rules/{path.name}.tpl": path.with_name(f"{path.name}.tpl").read_text() for path in RULES},
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def render(chart: Path, **thresholds: float) -> list[dict[str, Any]]:
    """The groups of a release `desk` in the namespace `trading`."""
    rules = yaml.safe_load((HOUSE / "monitoring" / "values.yaml").read_text())
    values = {"monitoring": {"rules": {**rules, "thresholds": {**rules["thresholds"], **thresholds}}}}
    with Chart.load(chart) as loaded:
        (text,) = loaded.render(values, name="desk", namespace="trading").values()
    return [group for document in yaml.safe_load_all(text) if document for group in document["groups"]]


def test_by_default_they_are_the_plain_rules_for_this_release_only(chart: Path) -> None:
    plain = [group for path in sorted(RULES) for group in yaml.safe_load(path.read_text())["groups"]]
    for group in plain:
        for rule in group["rules"]:
            rule["expr"] = narrow(rule["expr"], OURS)
            # Where runbooks are served is for whoever installs the chart to say.
            rule.get("annotations", {}).pop("runbook_url", None)
    assert render(chart) == plain


def test_a_threshold_of_the_values_takes_the_place_of_the_default(chart: Path) -> None:
    def exprs(groups: list[dict[str, Any]]) -> dict[str, str]:
        return {
            f"{rule['alert']} {rule['labels'].get('long', '')}": rule["expr"]
            for group in groups
            for rule in group["rules"]
            if "alert" in rule
        }

    usual, changed = exprs(render(chart)), exprs(render(chart, oldestDueSeconds=1234))
    assert [name.strip() for name in usual if usual[name] != changed[name]] == ["SignalsOldestDueTooOld"]
    assert "> 1234" in changed["SignalsOldestDueTooOld "]


def test_promtool_takes_them(chart: Path, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": render(chart)}))
    done = subprocess.run(
        [program("promtool"), "check", "rules", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_written_is_not_stale() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "monitoring", "--check"],
        cwd=HOUSE,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("expr", "narrowed"),
    [
        ("signals_waiting > 0", "signals_waiting{ a } > 0"),
        ('rate(signals_x_total{b="c"}[5m])', 'rate(signals_x_total{ a, b="c"}[5m])'),
        ("signals:failures:ratio_rate5m", "signals:failures:ratio_rate5m{ a }"),
        ("up and on (instance) signals_threads", "up and on (instance) signals_threads{ a }"),
    ],
)
def test_every_metric_of_ours_is_narrowed(expr: str, narrowed: str) -> None:
    assert narrow(expr, "a") == narrowed
