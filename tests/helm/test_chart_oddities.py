"""Odd values that are allowed arrive as they are; what cannot is refused before anything changes."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_python import Chart, HelmError

from demo.stack import Server
from docs import chart
from tests.helm import strict
from tests.helm.release import BUNDLED, CHART, FEATURES, REDIS, Release, merged, refusal
from worker.lanes.redis import connect

EVERYTHING = merged(
    FEATURES["gateway"],
    FEATURES["keda"],
    FEATURES["monitoring"],
    {
        "accounts": {"existingSecret": "accounts"},
        "tokenKeys": {"existingSecret": "tokens"},
        "endpointCA": {"existingSecret": "ca"},
        "redis": {"tls": {"existingSecret": "ca"}},
        "toolbox": {"enabled": True},
    },
)
ROLES = ("worker", "gateway", "toolbox", "test")
LOOKALIKES = ("on", "no", "null", "123", "0x1f")
"""Names that YAML takes for something else."""


def put(path: str, value: Any) -> dict[str, Any]:
    for name in reversed(path.split(".")):
        value = {name: value}
    return dict(value)


def check(release: Release) -> None:
    for one in release.objects:
        strict.check(one, "1.34")
        assert isinstance(one["metadata"]["name"], str)


# Names


@pytest.mark.parametrize("name", LOOKALIKES)
def test_a_release_or_namespace_may_look_like_something_else(name: str) -> None:
    values = merged(BUNDLED, FEATURES["hpa"], {"redis": {"existingSecret": ""}, "fullnameOverride": "desk"})
    values = merged(values, {"monitoring": {"podMonitor": {"enabled": True}, "rules": {"enabled": True}}})
    with Chart.load(CHART) as loaded:
        files = loaded.render(values, name=name, namespace=name)
    for path, text in files.items():
        for one in yaml.safe_load_all(text) if path.endswith(".yaml") else ():
            if one:
                strict.check(one, "1.34")
                assert one["metadata"]["namespace"] == name
                assert one["metadata"]["labels"]["app.kubernetes.io/instance"] == name


@pytest.mark.parametrize("name", LOOKALIKES)
@pytest.mark.parametrize(
    "path",
    [
        "nameOverride",
        "serviceAccount.name",
        "redis.existingSecret",
        "redis.workerKey",
        "redis.gatewayKey",
        "redis.tls.existingSecret",
        "redis.tls.key",
        "accounts.existingSecret",
        "apiKeys.existingSecret",
        "tokenKeys.existingSecret",
        "endpointCA.existingSecret",
        "gateway.pathSecret.existingSecret",
        "gateway.pathSecret.key",
        "gateway.ingress.className",
        "gateway.ingress.tlsSecret",
    ],
)
def test_names_stay_text(path: str, name: str) -> None:
    check(Release(merged(EVERYTHING, put(path, name))))


@pytest.mark.parametrize("name", ["on", "null"])
def test_the_name_of_all_may_look_like_something_else(name: str) -> None:
    check(Release(merged(EVERYTHING, {"fullnameOverride": name})))


def test_a_long_name_fits_with_all_that_follows_it() -> None:
    """A Service's into 63; a StatefulSet's into 52, for its pods carry it with a hash as a label."""
    values = merged(BUNDLED, FEATURES["service-monitor"], {"redis": {"existingSecret": ""}})
    release = Release(merged(values, {"fullnameOverride": "x" * 80}))
    assert max(len(one["metadata"]["name"]) for one in release.all("Service")) <= 63
    assert max(len(one["metadata"]["name"]) for one in release.all("StatefulSet")) <= 52


# Settings


def test_an_address_arrives_as_it_is() -> None:
    url = "https://api.example/hook?a=1&b=<2>"
    assert Release(merged(REDIS, put("settings.endpointUrl", url))).environment("worker")[
        "SIGNALS_ENDPOINT_URL"
    ] == (url)


@pytest.mark.parametrize("prefix", ["a&b:", '"desk":', "<desk>:"])
def test_users_may_touch_the_keys_of_the_prefix(prefix: str) -> None:
    release = Release(merged(BUNDLED, put("settings.prefix", prefix)))
    assert f"~{prefix}* " in release.get("ConfigMap", "valkey")["data"]["users.acl"]
    assert release.environment("worker")["SIGNALS_PREFIX"] == prefix


@pytest.mark.parametrize("prefix", ["desk[1]:", "a*:", "a?:", "a\\\\b:"])
def test_rights_are_for_the_prefix_as_it_is_written(prefix: str, tmp_path: Path) -> None:
    rendered = Release(merged(BUNDLED, put("settings.prefix", prefix))).get("ConfigMap", "valkey")
    (rights,) = re.findall("user signals-producer .* (~[^ ]+) ", rendered["data"]["users.acl"])
    with Server(tmp_path / "server") as server, connect(server.url) as client:
        client.execute_command("ACL", "SETUSER", "one", "on", rights, "+get")

        def may(key: str) -> bool:
            return bool(client.execute_command("ACL", "DRYRUN", "one", "GET", key) in (b"OK", "OK"))

        assert may(f"{prefix}lanes")
        assert not may("anything:lanes")
        assert not may(prefix.translate({ord(one): "x" for one in "[]*?\\"}) + "lanes")


UNSEEN = {
    "SIGNALS_ENDPOINT_URL": "https://live.example/hook",
    "SIGNALS_DEADLINE": "300",
    "SIGNALS_LEASE": "400",
    "SIGNALS_STOP_TIMEOUT": "350",
    "SIGNALS_PREFIX": "other:",
    "SIGNALS_DURABILITY": "replicas",
}


@pytest.mark.parametrize("component", ROLES)
def test_what_was_checked_wins_over_variables_nobody_saw(component: str) -> None:
    """With a paper endpoint above all: a Secret's left-over address would get real orders."""
    source = {"extraEnvFrom": [{"secretRef": {"name": "unseen"}}]}
    values = merged(FEATURES["paper"], put("gateway.enabled", True), put("toolbox.enabled", True))
    values = merged(values, put("gateway.pathSecret.value", "x" * 16), {"worker": source, "gateway": source})
    found = Release(values).environment(component, {"unseen": {**UNSEEN, "TOKEN": "t"}})
    assert not [name for name, text in UNSEEN.items() if found[name] == text]
    assert found["TOKEN"] == "t"


def test_nothing_is_nothing_in_the_servers_configuration() -> None:
    data = Release(merged(BUNDLED, put("valkey.config.save", ""))).get("ConfigMap", "valkey")["data"]
    assert 'save ""' in data["valkey.conf"].splitlines()


def test_keda_asks_what_the_values_say() -> None:
    odd = 'job="a: b"'
    scaled = Release(merged(FEATURES["keda"], put("worker.autoscaling.selector", odd)))
    for trigger in scaled.get("ScaledObject", "worker")["spec"]["triggers"]:
        assert f"{{{odd}}}" in trigger["metadata"]["query"]


def test_the_test_sees_the_files_that_workers_see() -> None:
    extra = {"extraVolumes": [{"name": "more", "emptyDir": {}}]}
    mounts = [{"name": "more", "mountPath": "/more"}]
    release = Release(merged(FEATURES["paper"], {"worker": {**extra, "extraVolumeMounts": mounts}}))
    assert mounts[0] in release.container("test")["volumeMounts"]
    assert extra["extraVolumes"][0] in release.pod("test")["volumes"]


class _Once(yaml.SafeLoader):
    """Refuses a key that is said twice, as kustomize and what builds on it do."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key) for key, _ in node.value]  # type: ignore[no-untyped-call]
        assert len(keys) == len(set(keys)), keys
        return super().construct_mapping(node, deep)


def test_no_label_is_said_twice() -> None:
    ours = {"team": "trading"}
    monitoring = {name: {"enabled": True, "labels": ours} for name in ("podMonitor", "rules", "dashboards")}
    values = merged(EVERYTHING, {"commonLabels": {"team": "all"}, "monitoring": monitoring})
    with Chart.load(CHART) as loaded:
        files = loaded.render(values, name="desk", namespace="trading")
    objects = [
        one
        for path, text in files.items()
        if path.endswith(".yaml")
        for one in yaml.load_all(text, _Once)
        if one
    ]
    for kind in ("PodMonitor", "PrometheusRule"):
        assert {one["metadata"]["labels"]["team"] for one in objects if one["kind"] == kind} == {"trading"}


@pytest.mark.parametrize("component", ["worker", "gateway", "toolbox"])
def test_no_password_can_be_tried_against_an_annotation(component: str) -> None:
    url, path = "redis://:hunter2@redis", "x" * 16
    values = {"redis": {"url": url}, "gateway": {"enabled": True, "pathSecret": {"value": path}}}
    values["toolbox"] = {"enabled": True}
    with Chart.load(CHART) as loaded:
        files = loaded.render(values, name="desk", namespace="trading")
    (settings,) = [text for name, text in files.items() if name.endswith("templates/configmap.yaml")]
    guesses = {sha256((settings + more).encode()).hexdigest() for more in (url, url + path)}
    template = Release(values).get("Deployment", component)["spec"]["template"]
    assert template["metadata"]["annotations"]["checksum/settings"] not in guesses


def test_a_new_address_replaces_the_toolbox() -> None:
    before, after = (
        Release(put("redis.url", url) | put("toolbox.enabled", True)).get("Deployment", "toolbox")
        for url in ("redis://one", "redis://two")
    )
    assert before["spec"]["template"] != after["spec"]["template"]


# Refusals


VALUES = list(chart.read_values((CHART / "values.yaml").read_text("utf-8")))


@pytest.mark.parametrize("path", [".".join(one.path) for one in VALUES if not one.is_section])
def test_taking_a_value_away_is_refused_or_harmless(path: str) -> None:
    """`--set x=null`, and `--reuse-values` with the values of a release that did not know it yet."""
    for values in (EVERYTHING, merged(FEATURES["paper"], FEATURES["accounts-inline"], put("redis.url", ""))):
        changed = merged(values, put(path, None))
        try:
            release = Release(changed)
        except HelmError:
            assert re.search(r"schema|execution error at \(.*\): \S+: ", refusal(changed))
            continue
        check(release)
        assert release.all("NetworkPolicy")
        assert release.all("PodDisruptionBudget")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (put("networkPolicy.redis.ports", []), "/networkPolicy/redis/ports"),
        (put("networkPolicy.redis.ports", ["redis"]), "/networkPolicy/redis/ports/0"),
        (put("networkPolicy.endpoint.ports", [443, 0]), "/networkPolicy/endpoint/ports/1"),
        (put("worker.extraEnv", [{"name": "A", "value": 4}]), "/worker/extraEnv/0/value"),
        (put("gateway.extraEnv", [{"name": "A", "value": True}]), "/gateway/extraEnv/0/value"),
        (put("monitoring.rules.labels", {"app.kubernetes.io/name": "x"}), "app.kubernetes.io/name"),
        (
            merged(FEATURES["gateway"], put("gateway.resources.requests.cpu", None)),
            "gateway.resources.requests.cpu: must be set",
        ),
        (put("monitoring.podMonitor.interval", "15"), "/monitoring/podMonitor/interval"),
        (put("monitoring.serviceMonitor.interval", ""), "/monitoring/serviceMonitor/interval"),
        (put("valkey.persistence.size", "8 GB"), "/valkey/persistence/size"),
        (put("gateway.ingress.paths", []), "/gateway/ingress/paths"),
        (put("gateway.httpRoute.paths", [1]), "/gateway/httpRoute/paths/0"),
        (put("settings.endpointUrl", "https://api example/x"), "settings.endpointUrl: must begin with"),
        (put("settings.endpointUrl", "https://"), "settings.endpointUrl: must begin with"),
        (
            merged(FEATURES["gateway"], put("gateway.replicas", 0)),
            "gateway.replicas: 0 stops no gateway",
        ),
        (
            {"redis": {"existingSecret": "", "url": "sentinel://one:26380,two:26379/desk"}},
            "networkPolicy.redis.ports: must hold 26380",
        ),
    ],
)
def test_what_the_cluster_would_take_for_something_else(values: dict[str, Any], said: str) -> None:
    assert said in refusal(merged(REDIS, values))


def test_an_address_may_hold_what_only_its_server_understands() -> None:
    Release(merged(REDIS, put("settings.endpointUrl", "https://api.example/100%?x=%zz")))
    Release(merged(REDIS, put("settings.endpointUrl", "https://user:p%zz@[::1]/x")))
