"""What each template must say, whatever else changes."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_python import parse_set_string

from tests.helm.release import BUNDLED, CHART, FEATURES, REDIS, Release, merged

PAPER, GATEWAY = FEATURES["paper"], FEATURES["gateway"]
feature = pytest.mark.parametrize("values", FEATURES.values(), ids=FEATURES.keys())


# Every pod


@feature
def test_pods_are_restricted(values: dict[str, Any]) -> None:
    """The Pod Security Standard, and no token for the Kubernetes API."""
    for _, spec in Release(values).pods():
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys()
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"requests", "limits"} <= container["resources"].keys()
            assert "cpu" not in container["resources"]["limits"], "throttling makes deadlines pass"


@feature
def test_services_make_no_variables(values: dict[str, Any]) -> None:
    """A Service `signals-gateway` would make SIGNALS_GATEWAY_PORT=tcp://…, which the settings refuse."""
    assert all(spec["enableServiceLinks"] is False for _, spec in Release(values).pods())


@feature
def test_secrets_are_in_secrets_only(values: dict[str, Any]) -> None:
    release = Release(values)
    secrets = {
        text for one in release.all("Secret") for text in release.secret(one["metadata"]["name"]).values()
    }
    rest = json.dumps([one for one in release.objects if one["kind"] != "Secret"]) + release.notes
    assert not [secret for secret in secrets if secret in rest]


# Workers


def test_workers_roll_without_a_gap() -> None:
    spec = Release(REDIS).get("Deployment", "worker")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        ({}, 35),
        ({"stopTimeout": 45}, 55),
        ({"stopTimeout": 25.2}, 36),
        ({"deadline": 3, "stopTimeout": 4}, 14),
    ],
)
def test_the_grace_period_follows_the_stop_timeout(settings: dict[str, float], seconds: int) -> None:
    pod = Release({**REDIS, "settings": settings}).pod("worker")
    assert pod["terminationGracePeriodSeconds"] == seconds
    assert "lifecycle" not in pod["containers"][0]


def test_probes_ask_the_health_server() -> None:
    worker = Release(REDIS).container("worker")
    (port,) = worker["ports"]
    assert (port["name"], port["containerPort"]) == ("metrics", 9464)
    assert worker["startupProbe"]["httpGet"] == {"path": "/livez", "port": "metrics"}
    assert worker["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "metrics"}
    assert worker["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}


def test_pods_without_ipv4_listen_on_ipv6() -> None:
    more = {"listenOn": "::", "gateway": {"enabled": True, "pathSecret": {"existingSecret": "p"}}}
    release = Release(merged(PAPER, more))
    hosts = {
        value
        for component in ("worker", "gateway")
        for name, value in release.environment(component).items()
        if name.endswith("_HOST")
    }
    assert hosts == {"::"}
    assert "--host=::" in release.container("paper")["args"]


def test_a_wedged_worker_is_restarted_in_minutes_and_not_for_one_slow_answer() -> None:
    """An outage of Redis is none of its faults: tests/acceptance/test_probes.py sees that /livez goes on."""
    probe = Release(REDIS).container("worker")["livenessProbe"]
    assert 30 <= probe["periodSeconds"] * probe["failureThreshold"] <= 120


def test_new_settings_restart_workers_and_new_secrets_do_not() -> None:
    def annotations(values: dict[str, Any]) -> Any:
        return Release(values).get("Deployment", "worker")["spec"]["template"]["metadata"]["annotations"]

    inline = FEATURES["accounts-inline"]
    other = merged(inline, {"accounts": {"data": {"accounts": []}}})
    assert annotations(inline) == annotations(other), "files are read again when they change"
    assert annotations(inline) != annotations(merged(inline, {"settings": {"threads": 65}}))


def test_secret_files_are_whole_folders() -> None:
    """With subPath a file would not change when its Secret does."""
    for name in ("accounts", "tls", "gateway"):
        for _, spec in Release(FEATURES[name]).pods():
            for container in spec["containers"]:
                assert not [mount for mount in container["volumeMounts"] if "subPath" in mount]


@pytest.mark.parametrize("component", ["worker", "gateway"])
def test_pods_are_spread(component: str) -> None:
    pod = Release(GATEWAY).pod(component)
    keys = [one["topologyKey"] for one in pod["topologySpreadConstraints"]]
    assert keys == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    labels = Release(GATEWAY).get("Deployment", component)["spec"]["selector"]["matchLabels"]
    assert all(one["labelSelector"]["matchLabels"] == labels for one in pod["topologySpreadConstraints"])
    assert "preferredDuringSchedulingIgnoredDuringExecution" in pod["affinity"]["podAntiAffinity"]


def test_placement_is_the_users() -> None:
    release = Release(FEATURES["placement"])
    pod = release.pod("worker")
    assert pod["priorityClassName"] == "trading"
    assert pod["nodeSelector"] == {"pool": "trading"}
    assert pod["topologySpreadConstraints"][0]["whenUnsatisfiable"] == "DoNotSchedule"
    assert "requiredDuringSchedulingIgnoredDuringExecution" in pod["affinity"]["podAntiAffinity"]
    assert pod["serviceAccountName"] == "existing"
    assert not release.all("ServiceAccount")
    assert pod["containers"][0]["image"].startswith("registry.example/signal-dispatch@sha256:")
    assert release.get("PodDisruptionBudget", "worker")["spec"]["maxUnavailable"] == "25%"
    assert release.get("ConfigMap", "extra")["data"] == {"for": "trading"}


# Gateways


def test_gateways_drain_before_they_stop() -> None:
    pod = Release(GATEWAY).pod("gateway")
    pause = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] >= pause + 10


@pytest.mark.parametrize("name", ["gateway", "gateway-api"])
def test_only_the_webhook_and_v1_are_reachable(name: str) -> None:
    release = Release(FEATURES[name])
    if name == "gateway":
        (rule,) = release.get("Ingress", "gateway")["spec"]["rules"]
        paths = [path["path"] for path in rule["http"]["paths"]]
        assert rule["host"] == "signals.example.org"
    else:
        (rule,) = release.get("HTTPRoute", "gateway")["spec"]["rules"]
        paths = [match["path"]["value"] for match in rule["matches"]]
    assert paths == ["/trading-signal/webhook", "/v1"]


def test_gateway_keys_are_not_for_workers() -> None:
    release = Release(GATEWAY)
    assert "SIGNALS_API_KEYS_FILE" not in release.environment("worker")
    assert (
        release.environment("gateway")["SIGNALS_API_KEYS_FILE"]
        == "/etc/signal-dispatch/api-keys/api-keys.yaml"
    )


def test_each_role_has_its_url() -> None:
    everything = merged(
        FEATURES["tls"], {"gateway": {"enabled": True, "pathSecret": {"existingSecret": "p"}}}
    )
    release = Release(everything)
    assert release.environment("worker")["SIGNALS_REDIS_URL"] == "signals-redis/worker-url"
    assert release.environment("gateway")["SIGNALS_REDIS_URL"] == "signals-redis/producer-url"


# Paper endpoint and test


def test_paper_takes_all_orders() -> None:
    release = Release(PAPER)
    (port,) = release.get("Service", "paper")["spec"]["ports"]
    url = release.environment("worker")["SIGNALS_ENDPOINT_URL"]
    name = release.get("Service", "paper")["metadata"]["name"]
    assert url == f"http://{name}:{port['port']}/trading-signal/webhook"
    assert release.get("Pod", "test")["metadata"]["annotations"]["helm.sh/hook"] == "test"


def test_without_paper_there_is_no_test_that_sends() -> None:
    assert not Release(REDIS).all("Pod")
    assert (
        Release(REDIS)
        .environment("worker")["SIGNALS_ENDPOINT_URL"]
        .startswith("https://api.crypto-arsenal.io/")
    )


# Toolbox


def test_the_toolbox_has_what_workers_have_and_takes_nothing() -> None:
    release = Release(FEATURES["toolbox"])
    worker, toolbox = (release.environment(component) for component in ("worker", "toolbox"))
    assert {name: value for name, value in worker.items() if "METRICS" not in name} == toolbox
    assert release.container("toolbox")["command"] == ["sleep", "infinity"]
    assert release.get("Deployment", "worker")["spec"]["replicas"] == 0


# Bundled server


def test_the_bundled_server_keeps_what_it_has() -> None:
    release = Release(BUNDLED)
    spec = release.get("StatefulSet", "valkey")["spec"]
    conf = release.get("ConfigMap", "valkey")["data"]["valkey.conf"].splitlines()
    assert {"appendonly yes", "maxmemory-policy noeviction", "dir /data"} <= set(conf)
    assert spec["replicas"] == 1
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert spec["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] == "8Gi"
    assert release.get("Secret", "valkey")["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert "WARNING" not in release.notes


def test_a_server_without_volume_is_warned_of() -> None:
    release = Release(FEATURES["valkey-without-volume"])
    assert "volumeClaimTemplates" not in release.get("StatefulSet", "valkey")["spec"]
    assert "WARNING: Valkey has no volume" in release.notes


def test_users_are_those_of_the_docs() -> None:
    page = (CHART.parent / "docs" / "redis.md").read_text("utf-8")
    users = Release(FEATURES["bundled-valkey"]).get("ConfigMap", "valkey")["data"]["users.acl"].splitlines()
    rights = {line.split()[1]: line for line in users}
    for role, line in re.findall(r"^ACL SETUSER signals-(\w+) on >PASSWORD (.*)$", page, re.M):
        wanted = line.replace("~signals:", "~desk-1:")
        assert wanted in rights[f"signals-{role}"]
        assert ("+waitaof" in rights[f"signals-{role}"]) is (role != "reader"), "for durability: fsync"
    assert rights["default"] == "user default off"


# Network


def rule(policy: dict[str, Any], way: str, port: object) -> dict[str, Any]:
    (found,) = [one for one in policy["spec"][way] if {"port": port} in one["ports"]]
    assert isinstance(found, dict)
    return found


@feature
def test_all_pods_have_a_policy_that_denies_the_rest(values: dict[str, Any]) -> None:
    release = Release(values)
    policies = [one["spec"] for one in release.all("NetworkPolicy")]
    if values.get("networkPolicy", {}).get("enabled") is False:
        assert not policies
        return
    assert all(policy["policyTypes"] == ["Ingress", "Egress"] for policy in policies)
    chosen = [policy["podSelector"]["matchLabels"] for policy in policies]
    for kind in ("Deployment", "StatefulSet", "Pod"):
        for one in release.all(kind):
            meta = one["metadata"] if kind == "Pod" else one["spec"]["template"]["metadata"]
            assert [labels for labels in chosen if labels.items() <= meta["labels"].items()]


def test_workers_reach_names_redis_and_the_endpoint() -> None:
    policy = Release(FEATURES["tls"]).get("NetworkPolicy", "worker")
    assert len(policy["spec"]["egress"]) == 3
    assert rule(policy, "egress", 6380)["to"] == [{"ipBlock": {"cidr": "10.20.0.0/16"}}]
    assert "to" not in rule(policy, "egress", 8443)
    assert "from" not in rule(policy, "ingress", "metrics")


def test_with_paper_workers_reach_nothing_outside() -> None:
    policy = Release(PAPER).get("NetworkPolicy", "worker")
    outside = [one for one in policy["spec"]["egress"] if "to" not in one]
    assert [[port["port"] for port in one["ports"]] for one in outside] == [[53, 53]]


def test_gateways_are_for_those_who_may() -> None:
    policy = Release(GATEWAY).get("NetworkPolicy", "gateway")
    assert len(rule(policy, "ingress", "http")["from"]) == 1, "senders"
    assert len(rule(policy, "ingress", "metrics")["from"]) == 1, "Prometheus"
    assert not [one for one in policy["spec"]["egress"] if {"port": 443} in one["ports"]]


@pytest.mark.parametrize("component", ["worker", "gateway"])
def test_further_rules_let_out_whoever_sends_spans(component: str) -> None:
    collector = {"ports": [{"port": 4318}], "to": [{"namespaceSelector": {}}]}
    policy = Release(merged(GATEWAY, {"networkPolicy": {"extraEgress": [collector]}}))
    assert collector in policy.get("NetworkPolicy", component)["spec"]["egress"]


@pytest.mark.parametrize(
    ("component", "change"),
    [
        ("worker", {"settings": {"threads": 7}}),
        ("gateway", {"settings": {"gatewayDeadline": 7}}),
        ("worker", {"redis": {"url": "redis://other"}}),
        ("gateway", {"redis": {"url": "redis://other"}}),
        ("gateway", {"gateway": {"pathSecret": {"value": "another-path-secret"}}}),
    ],
)
def test_pods_are_replaced_when_their_variables_change(component: str, change: dict[str, Any]) -> None:
    before = {
        "redis": {"url": "redis://one"},
        "gateway": {"enabled": True, "pathSecret": {"value": "one-path-secret-x"}},
    }

    def template(values: dict[str, Any]) -> Any:
        return Release(values).get("Deployment", component)["spec"]["template"]["metadata"]["annotations"]

    assert template(before) != template(merged(before, change))
    assert template(before) == template(merged(before, {"monitoring": {"rules": {"enabled": True}}}))


def test_the_bundled_server_is_for_the_release_and_those_named() -> None:
    more = [{"podSelector": {"matchLabels": {"app": "strategy"}}}]
    policy = Release({**BUNDLED, "networkPolicy": {"redis": {"from": more}}}).get("NetworkPolicy", "valkey")
    peers = rule(policy, "ingress", "redis")["from"]
    assert peers[-1:] == more
    assert len(peers) == 5
    assert "egress" not in policy["spec"]


# Scaling


def test_keda_asks_for_this_release() -> None:
    spec = Release(FEATURES["keda"]).get("ScaledObject", "worker")["spec"]
    asked = [trigger["metadata"]["query"] for trigger in spec["triggers"]]
    assert asked == [
        'max(signals_waiting{namespace="trading",release="desk"})',
        'max(signals_oldest_due_seconds{namespace="trading",release="desk"})',
    ]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (3, 30)
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 600
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0


def test_hpa_has_the_same_metrics_and_the_users_behavior() -> None:
    spec = Release(FEATURES["hpa"]).get("HorizontalPodAutoscaler", "worker")["spec"]
    names = [metric["external"]["metric"]["name"] for metric in spec["metrics"]]
    assert names == ["signals_waiting", "signals_oldest_due_seconds"]
    assert spec["behavior"] == {"scaleDown": {"stabilizationWindowSeconds": 1200}}


@pytest.mark.parametrize("name", ["keda", "hpa"])
def test_who_scales_decides_on_the_number(name: str) -> None:
    release = Release(FEATURES[name])
    assert "replicas" not in release.get("Deployment", "worker")["spec"]
    kind = {"keda": "ScaledObject", "hpa": "HorizontalPodAutoscaler"}[name]
    target = release.get(kind, "worker")["spec"]["scaleTargetRef"]["name"]
    assert target == release.get("Deployment", "worker")["metadata"]["name"]


# Monitoring


@pytest.mark.parametrize(
    ("name", "kind"), [("monitoring", "PodMonitor"), ("service-monitor", "ServiceMonitor")]
)
def test_monitors_find_their_ports(name: str, kind: str) -> None:
    release = Release(FEATURES[name])
    for component in ("worker", "gateway"):
        spec = release.get(kind, component)["spec"]
        (endpoint,) = spec.get("podMetricsEndpoints") or spec["endpoints"]
        assert endpoint["relabelings"] == [{"targetLabel": "release", "replacement": "desk"}]
        ports = {port["name"] for port in release.container(component)["ports"]}
        if kind == "ServiceMonitor":
            service = release.get("Service", {"worker": "worker", "gateway": "gateway-metrics"}[component])
            assert service["spec"]["clusterIP"] == "None", "it leads nowhere outside"
            assert spec["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
            ports = {port["name"] for port in service["spec"]["ports"]}
        assert endpoint["port"] in ports


@pytest.fixture
def with_rules(tmp_path: Path) -> Path:
    """The chart with rules and a dashboard that the test knows."""
    chart = tmp_path / "helm"
    shutil.copytree(CHART, chart, ignore=shutil.ignore_patterns("rules", "dashboards"))
    (chart / "rules").mkdir()
    (chart / "rules" / "alerts.yaml.tpl").write_text(
        "groups:\n- name: orders\n  rules:\n  - alert: Old\n"
        "    expr: 'signals{release={{ .Release.Name | quote }}} >"
        " {{ .Values.monitoring.rules.thresholds.lateSeconds }}'\n"
        '    annotations: {summary: "{{ "{{" }} $value }} s"}\n'
    )
    (chart / "dashboards").mkdir()
    (chart / "dashboards" / "overview.json").write_text('{"title": "{{ not a template }}"}')
    return chart


def test_rules_have_thresholds_and_dashboards_are_whole(with_rules: Path) -> None:
    values = merged(FEATURES["monitoring"], {"monitoring": {"rules": {"thresholds": {"lateSeconds": 7.5}}}})
    release = Release(values, chart=with_rules)
    (rules,) = release.all("PrometheusRule")
    (alert,) = rules["spec"]["groups"][0]["rules"]
    assert alert == {
        "alert": "Old",
        "expr": 'signals{release="desk"} > 7.5',
        "annotations": {"summary": "{{ $value }} s"},
    }
    dashboard = release.get("ConfigMap", "overview")
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert dashboard["data"]["overview.json"] == '{"title": "{{ not a template }}"}'


def test_what_lies_in_the_chart_is_shipped() -> None:
    release = Release(FEATURES["monitoring"])
    rules = {one["metadata"]["name"].rpartition("-")[2] for one in release.all("PrometheusRule")}
    assert rules == {path.name.split(".")[0] for path in (CHART / "rules").glob("*.yaml.tpl")}
    dashboards = [one for one in release.all("ConfigMap") if "grafana_dashboard" in one["metadata"]["labels"]]
    assert len(dashboards) == len(list((CHART / "dashboards").glob("*.json")))


# Notes


def test_notes_name_what_exists() -> None:
    release = Release(merged(PAPER, {"gateway": {"enabled": True, "pathSecret": {"value": "x" * 16}}}))
    names = {(one["kind"], one["metadata"]["name"]) for one in release.objects}
    said = re.findall(r"(deploy|svc)/(\S+)", release.notes)
    assert said
    assert {({"deploy": "Deployment", "svc": "Service"}[kind], name) for kind, name in said} <= names
    assert "none reaches an account" in release.notes


def test_notes_warn_of_real_orders() -> None:
    assert "these are REAL orders" in Release(REDIS).notes


PAGES = [CHART / "README.md", CHART.parent / "README.md", CHART.parent / "docs" / "kubernetes.md"]


def given(command: str) -> dict[str, Any]:
    """The values that a command line sets."""
    return merged(*map(parse_set_string, re.findall(r"--set (\S+)", command)))


def commands() -> list[str]:
    pages = [path.read_text("utf-8").replace("\\\n", " ") for path in PAGES]
    return [line for page in pages for line in re.findall(r"^ *(helm (?:install|upgrade) .*)", page, re.M)]


@pytest.mark.parametrize("command", commands())
def test_commands_of_the_docs_render(command: str) -> None:
    values = given(command)
    file = examples()[0] if " -f values.yaml" in command else REDIS if " -f " in command else {}
    Release(merged(file, values))


@pytest.mark.parametrize("name", ["gateway", "gateway-api", "hpa", "keda"])
def test_the_command_after_a_disaster_stops_whatever_runs(name: str) -> None:
    (command,) = [one for one in commands() if "toolbox.enabled" in one]
    release = Release(merged(FEATURES[name], given(command)))
    running = {one["metadata"]["name"]: one["spec"]["replicas"] for one in release.all("Deployment")}
    assert [one for one, replicas in running.items() if replicas] == ["desk-signal-dispatch-toolbox"]
    assert not release.all("HorizontalPodAutoscaler") + release.all("ScaledObject")


def examples() -> list[dict[str, Any]]:
    blocks = re.findall(r"^```yaml\n(.*?)^```", PAGES[2].read_text("utf-8"), re.M | re.S)
    return [yaml.safe_load(block) for block in blocks if "externalRules" not in block]


@pytest.mark.parametrize("values", examples())
def test_values_of_the_docs_render(values: dict[str, Any]) -> None:
    Release(merged(REDIS, values))


def test_commands_that_decide_say_who() -> None:
    """A pod has no login name, and a pause that fails in an emergency is none."""
    texts = [PAGES[2].read_text("utf-8"), Release(PAPER).notes]
    for text in texts:
        acts = re.findall(r"-- signal-worker\s+(?:pause|resume|drop)([^`\n]*(?:\n\s+[^`\n]*)?)", text)
        assert acts
        assert all("--by" in act for act in acts)
