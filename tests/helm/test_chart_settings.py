"""Rendered environments and the settings' model know each other: nothing unknown, nothing out of reach."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs import chart
from tests.helm.release import CHART, FEATURES, REDIS, Release, merged
from worker.settings import PREFIX, Settings, load_settings

OURS = [
    pytest.param(values, component, id=f"{name}-{component}")
    for name, values in FEATURES.items()
    for component in ("worker", "gateway", "test", "toolbox")
    if component == "worker"
    or (component == "gateway" and values.get("gateway", {}).get("enabled"))
    or (component == "test" and values.get("paper", {}).get("enabled"))
    or (component == "toolbox" and values.get("toolbox", {}).get("enabled"))
]


def read(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load_settings()


@pytest.mark.parametrize(("values", "component"), OURS)
def test_every_variable_is_known_and_good(
    values: dict[str, Any], component: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = {"path-secret": "0123456789abcdef"}
    environment = Release(values).environment(component, {"signals-path": path})
    read(environment, monkeypatch)


def test_values_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(Release(FEATURES["settings"]).environment("worker"), monkeypatch)
    wanted = FEATURES["settings"]["settings"]
    assert {chart.camel(name): value for name, value in settings if chart.camel(name) in wanted} == wanted


def test_without_values_the_defaults_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(Release(REDIS).environment("worker"), monkeypatch)
    given = {"redis_url", "metrics_host"}
    for name, field in Settings.model_fields.items():
        if name not in given:
            assert getattr(settings, name) == field.default, name


@pytest.mark.parametrize("name", [name for name in Settings.model_fields if name not in chart.ELSEWHERE])
def test_every_setting_can_be_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value = another(name)
    room = {"lease": 1000, "stopTimeout": 1000, "redisTimeout": 100, "keep": 5000}
    release = Release(merged(REDIS, {"settings": {**room, chart.camel(name): value}}))
    settings = read(release.environment("worker"), monkeypatch)
    assert getattr(settings, name) == value


PATTERNED = {"unsent_statuses": "429", "unknown_statuses": "408,499", "metrics_connectors": "none"}
"""Good values of settings that do not take any text."""


def another(name: str) -> Any:
    """A good value that is not the default."""
    field = Settings.model_fields[name]
    default = field.default
    choices = Settings.model_json_schema()["properties"][name].get("enum")
    if choices:
        return next(choice for choice in choices if choice != default)
    if isinstance(default, bool):
        return not default
    if isinstance(default, str):
        return PATTERNED.get(name, f"{default}x")
    if isinstance(default, int):
        return default + 1
    return float(default) + (10 if default >= 25 else 0.25)


@pytest.mark.parametrize("name", [name for name in chart.ELSEWHERE if name in Settings.model_fields])
def test_what_settings_do_not_hold_is_set_elsewhere(name: str) -> None:
    """By the chart itself in each pod that needs it, with or without a value of its own."""
    everything = merged(
        FEATURES["tls"],
        {
            "accounts": {"existingSecret": "a"},
            "apiKeys": {"existingSecret": "b"},
            "tokenKeys": {"existingSecret": "c"},
            "gateway": {"enabled": True, "pathSecret": {"existingSecret": "d"}},
        },
    )
    release = Release(everything)
    worker, gateway = (release.environment(component) for component in ("worker", "gateway"))
    gateways_only = name.startswith("gateway_") or name == "api_keys_file"
    workers_only = name in ("metrics_port", "endpoint_ca_file")
    variable = PREFIX + name.upper()
    assert (variable in worker) is not gateways_only
    assert (variable in gateway) is not workers_only


def test_the_settings_of_the_schema_are_those_of_the_model() -> None:
    named = set(chart.settings_schema()["properties"])
    assert named == {chart.camel(name) for name in Settings.model_fields if name not in chart.ELSEWHERE}


def test_every_value_is_described() -> None:
    values = chart.read_values((CHART / "values.yaml").read_text("utf-8"))
    assert [".".join(one.path) for one in values if not one.is_section and not one.text] == []


def test_every_value_is_read() -> None:
    """Comments and keys of values.yaml are read line by line: none may be overlooked."""
    tree = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    for value in chart.read_values((CHART / "values.yaml").read_text("utf-8")):
        holder = tree
        for part in value.path[:-1]:
            holder = holder[part]
        if not value.is_section:
            del holder[value.path[-1]]
    assert not any(leaves(tree))


def leaves(tree: Any) -> list[Any]:
    return [leaf for one in tree.values() for leaf in leaves(one)] if isinstance(tree, dict) else [tree]


def test_generated_files_are_fresh() -> None:
    redis_page = (Path(chart.__file__).parent / "redis.md").read_text("utf-8")
    for path, text in chart.documents(redis_page).items():
        assert path.read_text("utf-8") == text, f"{path.name} is stale: run `make docs`"
