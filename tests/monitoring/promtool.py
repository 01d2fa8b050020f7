"""Alerts under made-up series, by the real ``promtool test rules``."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.programs import program

HOUSE = Path(__file__).resolve().parents[2]
RULES = [HOUSE / "helm" / "rules" / name for name in ("recording.yaml", "alerts.yaml")]
GROUPS = [group["name"] for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
WORKERS = ("a:9464", "b:9464")


@dataclass(frozen=True)
class Case:
    """Series over time, and when an alert must fire and when not.

    ``series`` are of one worker (with an ``instance``), or else of two that see the same.
    """

    alert: str
    series: dict[str, str]
    fires: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    severity: str = "critical"
    step: str = "1m"
    why: str = ""
    labels: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return " ".join(filter(None, (self.alert, *self.labels.values(), self.why)))

    def as_test(self) -> dict[str, Any]:
        matchers = {"alertname": self.alert, "alertstate": "firing", "severity": self.severity, **self.labels}
        chosen = ", ".join(f'{name}="{value}"' for name, value in matchers.items())
        return {
            "interval": self.step,
            "input_series": [
                {"series": series, "values": values}
                for name, values in self.series.items()
                for series in _of_workers(name)
            ],
            "promql_expr_test": [
                {
                    "expr": f"count(ALERTS{{{chosen}}})",
                    "eval_time": when,
                    "exp_samples": [{"labels": "{}", "value": 1}] if firing else [],
                }
                for firing, moments in ((True, self.fires), (False, self.silent))
                for when in moments
            ],
        }


def _of_workers(name: str) -> list[str]:
    if "instance=" in name:
        return [name]
    metric, _, labels = name.partition("{")
    rest = f",{labels}" if labels else "}"
    return [f'{metric}{{job="signals",instance="{worker}"{rest}' for worker in WORKERS]


def check(case: Case, folder: Path) -> str:
    """What ``promtool`` says against the case; empty if all is as it should be."""
    file = folder / "case.yaml"
    content = {
        "rule_files": [str(path) for path in RULES],
        "evaluation_interval": case.step,
        # What is recorded is known for five minutes only, so that with long steps the order matters.
        "group_eval_order": GROUPS,
        "tests": [case.as_test()],
    }
    file.write_text(yaml.safe_dump(content))
    done = subprocess.run(
        [program("promtool"), "test", "rules", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr
