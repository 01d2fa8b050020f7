"""Writes rules in two forms: plain Prometheus files with default thresholds, and the same as a template that
the chart fills with its values and narrows to its own release."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from monitoring import alerts, recordings
from monitoring.alerts import Alert
from monitoring.narrow import narrow
from monitoring.thresholds import THRESHOLDS

RUNBOOKS = "http://127.0.0.1:9090/user/runbooks"
"""Where the Prometheus of docker-compose.yml serves docs/runbooks; the chart has a value in its place."""
NOTE = "# Made by `make docs` from monitoring/; do not edit.\n"
VALUES = "$.Values.monitoring.rules"

_PLACE = re.compile(r"<(\w+)>")
_RUNBOOK_URL = re.compile(r"^( +runbook_url: )['\"]?@runbooks@([^'\"\n]*)['\"]?\n", re.MULTILINE)
_IF_SERVED = f'{{{{- with {VALUES}.runbooks }}}}\n\\1{{{{ trimSuffix "/" . }}}}\\2\n{{{{- end }}}}\n'


def plain(thresholds: Mapping[str, float] | None = None) -> dict[str, str]:
    """Files that Prometheus reads as they are, with these thresholds in place of the defaults."""
    texts = {one.name: one.text for one in THRESHOLDS}
    texts |= {name: f"{value:g}" for name, value in (thresholds or {}).items()}
    return {
        "recording.yaml": NOTE + _text(_recordings()),
        "alerts.yaml": NOTE + _text(_alerts(RUNBOOKS, lambda name: texts[name])),
    }


def templates() -> dict[str, str]:
    """The same for Helm: ``tpl`` makes `groups: …` of it, with the thresholds of the values."""
    alert_groups = _alerts("@runbooks@", lambda name: f"@{name}@")
    return {
        "recording.yaml.tpl": _NARROW + _templated(_recordings()),
        "alerts.yaml.tpl": _NARROW + _templated(alert_groups),
    }


def values() -> str:
    """The part of the chart's values that the templates read."""
    lines = [NOTE.strip(), "# Belongs under `monitoring.rules` of the chart's values."]
    lines += [
        "# -- Address under which you serve docs/runbooks; empty: alerts name their page without a link",
        'runbooks: ""',
        "thresholds:",
    ]
    for one in THRESHOLDS:
        lines += [f"  # -- {one.meaning}", f"  {one.name}: {one.text}"]
    return "\n".join(lines) + "\n"


_NARROW = (
    "{{- /* Made by `make docs` from monitoring/; do not edit. */ -}}\n"
    '{{- $narrow := printf "namespace=%q,release=%q" $.Release.Namespace $.Release.Name -}}\n'
)


def _recordings() -> list[dict[str, Any]]:
    return [
        {"name": name, "rules": [{"record": one.name, "expr": one.expr} for one in rules]}
        for name, rules in recordings.GROUPS.items()
    ]


def _alerts(runbooks: str, threshold: Callable[[str], str]) -> list[dict[str, Any]]:
    def filled(text: str) -> str:
        return _PLACE.sub(lambda found: threshold(found[1]), text)

    def rule(alert: Alert) -> dict[str, Any]:
        return {
            "alert": alert.name,
            "expr": filled(alert.expr),
            "for": alert.hold,
            "labels": {"severity": alert.severity, **alert.labels},
            "annotations": {
                "summary": alert.summary,
                "description": filled(alert.description),
                "runbook": f"docs/runbooks/{alert.name}.md",
                "runbook_url": f"{runbooks}/{alert.name}.md",
            },
        }

    return [{"name": name, "rules": [rule(one) for one in group]} for name, group in alerts.GROUPS.items()]


def _text(groups: list[dict[str, Any]]) -> str:
    return yaml.safe_dump({"groups": groups}, sort_keys=False, width=1000, allow_unicode=True)


def _templated(groups: list[dict[str, Any]]) -> str:
    for group in groups:
        for rule in group["rules"]:
            rule["expr"] = narrow(rule["expr"], "@narrow@")
    text = _text(groups).replace("{{", '{{ "{{" }}')
    text = text.replace("@narrow@", "{{ $narrow }}")
    text = _RUNBOOK_URL.sub(_IF_SERVED, text)
    for one in THRESHOLDS:
        text = text.replace(f"@{one.name}@", f"{{{{ {VALUES}.thresholds.{one.name} }}}}")
    return text
