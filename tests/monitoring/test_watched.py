"""Rules and dashboards with a real Prometheus that scrapes real processes under traffic."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import promql_parser
import yaml

from demo.stack import eventually, fetch
from monitoring.rules import RUNBOOKS
from producers import SignalProducer
from tests.monitoring.conftest import REFUSED, Watched
from tests.monitoring.promtool import RULES
from tests.monitoring.queries import DASHBOARDS, Query, filled, queries
from worker.settings import Settings

OTHERS = {"ALERTS", "up"}
"""Series that Prometheus makes."""


def test_every_query_of_the_dashboards_finds_data(watched: Watched) -> None:
    left = [query for path in DASHBOARDS for query in queries(json.loads(path.read_text()))]

    def found(query: Query) -> bool:
        results = watched.ask(filled(query.expr, interval="5s"))
        return any(result["value"][1] != "NaN" for result in results)

    def all_found() -> bool:
        left[:] = [query for query in left if not found(query)]
        return not left

    try:
        eventually(all_found, within=60, what="every query finds data", pause=0.5)
    finally:
        assert not left, "no data for\n" + "\n".join(map(str, left))


def test_a_connector_is_on_its_dashboard_from_its_first_signals(watched: Watched) -> None:
    # given
    panels = {"Outcomes", "Refused", "Outcomes by connector", "Failed and refused by connector"}
    board = next(path for path in DASHBOARDS if path.stem == "connectors")
    asked = [one for one in queries(json.loads(board.read_text())) if one.panel in panels]
    orders = [
        {"connectorName": REFUSED, "connectorToken": "t", "action": "openLong", "fixed": size}
        for size in ("1", "2", "3")
    ]
    settings = Settings(redis_url=watched.redis_url)
    # when: they are all there is, and end between two scrapes
    with SignalProducer(settings=settings) as producer:
        producer.send(orders)
    # then
    left = {query.panel: query.expr for query in asked}

    def all_told() -> bool:
        for panel, expr in list(left.items()):
            results = watched.ask(filled(expr, interval="30s", connector=REFUSED))
            if any(float(result["value"][1]) > 0 for result in results):
                del left[panel]
        return not left

    try:
        eventually(all_told, within=25, what="every panel tells of it", pause=0.5)
    finally:
        assert sorted(left) == []


def test_every_rule_can_be_evaluated(watched: Watched) -> None:
    def evaluated() -> bool:
        return all(rule["health"] != "unknown" for rule in watched.rules())

    eventually(evaluated, within=30, what="every rule is evaluated", pause=0.2)
    assert [rule for rule in watched.rules() if rule["health"] != "ok"] == []
    assert len(watched.rules()) == sum(len(group["rules"]) for path in RULES for group in _groups(path))


def test_what_is_recorded_has_data(watched: Watched) -> None:
    names = [
        rule["record"]
        for path in RULES
        for group in _groups(path)
        for rule in group["rules"]
        if "record" in rule
    ]
    missing: list[str] = []

    def all_there() -> bool:
        missing[:] = [name for name in names if not watched.ask(name)]
        return not missing

    try:
        eventually(all_there, within=60, what="everything is recorded", pause=0.5)
    finally:
        assert missing == []


def test_an_unknown_outcome_reaches_the_person_on_duty(watched: Watched) -> None:
    def told() -> list[dict[str, dict[str, str]]]:
        return [one for one in watched.alerts if one["labels"]["alertname"] == "SignalsUnknownOutcomes"]

    (alert, *_) = eventually(told, within=60, what="Alertmanager tells of unknown outcomes", pause=0.2)
    assert alert["labels"]["severity"] == "critical"
    assert alert["annotations"]["runbook_url"] == f"{RUNBOOKS}/SignalsUnknownOutcomes.md"
    # And there Prometheus, told to as in docker-compose.yml, serves what to do.
    page = fetch(watched.prometheus + urlsplit(alert["annotations"]["runbook_url"]).path)
    assert (page[0], page[1].splitlines()[0]) == (200, "# SignalsUnknownOutcomes")
    assert re.match(r"\d+ signals may or may not", alert["annotations"]["description"])


def test_metrics_that_rules_and_dashboards_name_are_exposed(watched: Watched) -> None:
    exposed = set().union(*(_exposed(fetch(f"{page}/metrics")[1]) for page in watched.pages))
    recorded = {
        rule["record"]
        for path in RULES
        for group in _groups(path)
        for rule in group["rules"]
        if "record" in rule
    }
    asked = [rule["expr"] for path in RULES for group in _groups(path) for rule in group["rules"]]
    asked += [filled(query.expr) for path in DASHBOARDS for query in queries(json.loads(path.read_text()))]
    named = {name for expr in asked for name in _metrics(expr)}
    assert len(named) > 40
    assert sorted(named - exposed - recorded - OTHERS) == []


def _groups(path: Path) -> list[dict[str, list[dict[str, str]]]]:
    return list(yaml.safe_load(path.read_text())["groups"])


def _metrics(expr: str) -> set[str]:
    found: set[str] = set()

    def note(node: object) -> None:
        selector = node.vector_selector if isinstance(node, promql_parser.MatrixSelector) else node
        if isinstance(selector, promql_parser.VectorSelector) and selector.name:
            found.add(selector.name)

    promql_parser.walk(promql_parser.parse(expr), note)
    return found


def _exposed(page: str) -> set[str]:
    """Names of series, also of those that have no value yet."""
    found = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE):
        ends = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}.get(kind, ("",))
        found |= {name + end for end in ends}
    return found
