"""That Prometheus sees them, Alertmanager is told, and Grafana finds its files."""

from __future__ import annotations

import yaml

from tests.compose.stack import PORTS, Json, Stack, fetch, fetch_json
from tests.proof import HOUSE, NotSo, eventually, see

ORDER = {
    "connectorName": "compose proof",
    "connectorToken": "00000000-0000-4000-8000-000000000001",
    "action": "openLong",
    "percent": "1",
    "clientOrderId": "proof-1",
}
PROVISIONING = "/etc/grafana/provisioning"


def prove(stack: Stack) -> None:
    _prove_prometheus()
    _prove_alert()
    _prove_grafana(stack)


def _prove_prometheus() -> None:
    eventually(lambda: jobs() == ["gateway", "worker"], 60, "worker and gateway are up in Prometheus")
    see(True, "Prometheus scrapes worker and gateway: up")
    files = [yaml.safe_load(path.read_text()) for path in sorted((HOUSE / "helm" / "rules").glob("*.yaml"))]
    wanted = sorted(name(rule) for file in files for group in file["groups"] for rule in group["rules"])
    eventually(lambda: evaluated_rules() == wanted, 60, f"{len(wanted)} rules are loaded and evaluated")
    see(wanted, f"its {len(wanted)} rules are those of helm/rules, and can be evaluated")
    known = fetch_json("prometheus", "/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
    see([one["url"] for one in known] == ["http://alertmanager:9093/api/v2/alerts"], "it knows Alertmanager")


def jobs() -> list[str]:
    """Of all targets, or none if one is not up."""
    targets = fetch_json("prometheus", "/api/v1/targets?state=active")["data"]["activeTargets"]
    up = all(one["health"] == "up" for one in targets)
    return sorted(one["labels"]["job"] for one in targets) if up else []


def evaluated_rules() -> list[str]:
    groups = fetch_json("prometheus", "/api/v1/rules")["data"]["groups"]
    return sorted(one["name"] for group in groups for one in group["rules"] if one["health"] == "ok")


def name(rule: Json) -> str:
    return str(rule.get("alert") or rule["record"])


def _prove_alert() -> None:
    """From two orders with one id to Alertmanager, and from there to the runbook."""
    first, _ = fetch("gateway", "/trading-signal/webhook", ORDER)
    second, _ = fetch("gateway", "/trading-signal/webhook", {**ORDER, "percent": "2"})
    see((first, second) == (200, 409), "the gateway takes an order, and refuses another one under its id")
    alert = eventually(lambda: alerts().get("SignalsConflicts"), 60, "Alertmanager is told of the conflict")
    runbook = fetch("prometheus", path_at_prometheus(alert["annotations"]["runbook_url"]))
    query = fetch("prometheus", path_at_prometheus(alert["generatorURL"]))
    see(
        runbook == (200, (HOUSE / "docs" / "runbooks" / "SignalsConflicts.md").read_text())
        and query[0] == 200,
        "Alertmanager is told, with links that lead to the runbook and to the query",
    )


def path_at_prometheus(link: str) -> str:
    base = f"http://127.0.0.1:{PORTS['prometheus']}"
    if not link.startswith(f"{base}/"):
        raise NotSo(f"a link of the alert leads to {link}")
    return link.removeprefix(base)


def alerts() -> dict[str, Json]:
    return {one["labels"]["alertname"]: one for one in fetch_json("alertmanager", "/api/v2/alerts")}


def _prove_grafana(stack: Stack) -> None:
    dashboards = sorted((HOUSE / "helm" / "dashboards").glob("*.json"))
    ours = HOUSE / "compose" / "grafana"
    files = {
        f"{PROVISIONING}/datasources/signals.yaml": ours / "datasource.yaml",
        f"{PROVISIONING}/dashboards/signals.yaml": ours / "dashboards.yaml",
        **{f"/etc/grafana/dashboards/{path.name}": path for path in dashboards},
        "/run/secrets/grafana-admin-password": stack.secrets / "grafana-admin-password",
    }
    see(
        all(stack.inside("grafana", "cat", there) == path.read_text() for there, path in files.items()),
        f"Grafana's user may read its source, its {len(dashboards)} dashboards and its password",
    )
    source = yaml.safe_load((ours / "datasource.yaml").read_text())["datasources"][0]["url"]
    stack.inside("grafana", "wget", "-qO-", f"{source}/-/ready")
    see(True, "and from its container its source answers")
    if not stack.stand_in:
        found = eventually(
            lambda: fetch_json("grafana", "/api/search?type=dash-db"), 60, "Grafana lists them"
        )
        see(len(found) == len(dashboards), f"Grafana lists {len(found)} dashboards to everybody here")
