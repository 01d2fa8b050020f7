"""Every feature's values, as real Helm renders them, are taken by real Kubernetes as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helm_python import Chart, chart

from tests.helm import strict
from tests.helm.release import CHART, FEATURES, REDIS, Release

feature = pytest.mark.parametrize("values", FEATURES.values(), ids=FEATURES.keys())


@feature
def test_lint_is_strict_and_silent(values: dict[str, Any]) -> None:
    report = chart.lint(CHART, values, strict=True)
    said = [message["error"] for message in report["messages"]]
    assert said == ["icon is recommended"]
    assert report["errors"] == []


@feature
@pytest.mark.parametrize("version", strict.VERSIONS)
def test_objects_are_valid(values: dict[str, Any], version: str) -> None:
    for one in Release(values).objects:
        strict.check(one, version)


@pytest.mark.parametrize(
    ("name", "kind", "misspelt"),
    [
        ("redis", "Deployment", "replica"),
        ("keda", "ScaledObject", "minReplicas"),
        ("monitoring", "PodMonitor", "podMetricEndpoints"),
        ("gateway-api", "HTTPRoute", "hostname"),
    ],
)
def test_a_field_that_does_not_exist_is_noticed(name: str, kind: str, misspelt: str) -> None:
    one = Release(FEATURES[name]).all(kind)[0]
    one["spec"][misspelt] = []
    with pytest.raises(strict.ValidationError, match=misspelt):
        strict.check(one, "1.34")


@feature
def test_names_are_unique_and_short_and_all_is_labelled(values: dict[str, Any]) -> None:
    objects = Release(values).objects
    names = [(one["kind"], one["metadata"]["name"]) for one in objects]
    assert len(set(names)) == len(names)
    for one in objects:
        if not one["metadata"]["name"].endswith("-extra"):
            assert one["metadata"]["labels"]["app.kubernetes.io/instance"] == "desk"
            assert one["metadata"]["namespace"] == "trading"
            assert len(one["metadata"]["name"]) <= 63


@feature
def test_what_is_mounted_exists(values: dict[str, Any]) -> None:
    for _, spec in Release(values).pods():
        volumes = {volume["name"] for volume in spec.get("volumes", ())}
        for container in spec["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes | {"data"}


def test_an_archive_holds_what_renders_the_same(tmp_path: Path) -> None:
    archive = chart.package(CHART, destination=tmp_path)
    with Chart.load(archive) as packed:
        assert not [file["name"] for file in packed.files if file["name"].startswith("ci/")]
    assert Release(REDIS, chart=Path(archive)).objects == Release(REDIS).objects


def test_a_long_name_fits() -> None:
    release = Release({**REDIS, "fullnameOverride": "x" * 80})
    assert all(len(one["metadata"]["name"]) <= 63 for one in release.objects)


def test_a_new_version_of_the_chart_restarts_no_server() -> None:
    """Its pods' labels hold no version."""
    template = Release(FEATURES["paper"]).get("StatefulSet", "valkey")["spec"]["template"]
    assert "helm.sh/chart" not in template["metadata"]["labels"]
