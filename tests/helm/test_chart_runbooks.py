"""Alerts and dashboards of a release link to runbooks where they are, or not at all until that is said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitoring.rules import RUNBOOKS
from tests.helm.release import CHART, REDIS, Release, merged


def release(runbooks: str) -> Release:
    wanted = {"dashboards": {"enabled": True}, "rules": {"enabled": True, "runbooks": runbooks}}
    return Release(merged(REDIS, {"monitoring": wanted}))


def annotations(of: Release) -> list[dict[str, str]]:
    groups = [group for one in of.all("PrometheusRule") for group in one["spec"]["groups"]]
    return [rule["annotations"] for group in groups for rule in group["rules"] if "alert" in rule]


def dashboards(of: Release) -> list[str]:
    return [
        text
        for one in of.all("ConfigMap")
        for name, text in one.get("data", {}).items()
        if name.endswith(".json")
    ]


def links(found: Any) -> list[str]:
    """The addresses of all links in a dashboard, however deep."""
    if isinstance(found, list):
        return [url for one in found for url in links(one)]
    if not isinstance(found, dict):
        return []
    own = [found["url"]] if "url" in found else []
    return own + [url for one in found.values() for url in links(one)]


@pytest.mark.parametrize("there", ["https://wiki.example/signals", "https://wiki.example/signals/"])
def test_links_lead_where_runbooks_are(there: str) -> None:
    found = release(there)
    for one in annotations(found):
        page = one["runbook"].removeprefix("docs/runbooks/")
        assert one["runbook_url"] == f"https://wiki.example/signals/{page}"
    written = [path.read_text() for path in sorted((CHART / "dashboards").glob("*.json"))]
    assert sorted(dashboards(found)) == sorted(
        text.replace(RUNBOOKS, "https://wiki.example/signals") for text in written
    )


def test_without_an_address_nothing_links_to_one() -> None:
    found = release("")
    assert annotations(found)
    assert not any("runbook_url" in one for one in annotations(found))
    assert all(one["runbook"].startswith("docs/runbooks/Signals") for one in annotations(found))
    rendered = {json.loads(text)["uid"]: json.loads(text) for text in dashboards(found)}
    for path in (CHART / "dashboards").glob("*.json"):
        written = json.loads(path.read_text())
        expected = [url for url in links(written) if not url.startswith(RUNBOOKS)]
        assert links(rendered[written["uid"]]) == expected, "and all other links are still there"
        assert len(rendered[written["uid"]]["panels"]) == len(written["panels"])
