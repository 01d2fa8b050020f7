"""The dashboards' JSON: what Grafana's own linter asks for, and what makes a dashboard pleasant to use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import promql_parser
import pytest

from monitoring import alerts
from tests.monitoring.queries import DASHBOARDS, filled, panels, queries

BOARDS = [pytest.param(json.loads(path.read_text()), id=path.stem) for path in DASHBOARDS]
MEASURED = ("signals_", "process_", "python_")

Board = dict[str, Any]


@pytest.fixture(params=BOARDS)
def board(request: pytest.FixtureRequest) -> Board:
    return dict(request.param)


def test_there_are_dashboards() -> None:
    assert [path.stem for path in DASHBOARDS] == ["connectors", "internals", "overview"]
    assert len({json.loads(path.read_text())["uid"] for path in DASHBOARDS}) == len(DASHBOARDS)


def test_ids_are_unique(board: Board) -> None:
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))


def test_panels_neither_overlap_nor_stick_out(board: Board) -> None:
    places = [(panel["title"], panel["gridPos"]) for panel in board["panels"]]
    for title, place in places:
        assert place["x"] + place["w"] <= 24, title
    for (one, a), (other, b) in combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        above = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert beside or above, f"{one} and {other} overlap"


def test_panels_say_what_they_show(board: Board) -> None:
    for panel in panels(board):
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]


def test_every_datasource_is_the_variable(board: Board) -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    variables = board["templating"]["list"]
    assert variables[0]["name"] == "datasource"
    assert variables[0]["query"] == "prometheus"
    assert all(one["datasource"] == chosen for one in variables[1:])
    for panel in panels(board):
        assert panel["datasource"] == chosen
        assert all(target["datasource"] == chosen for target in panel["targets"])


def test_labels_that_are_absent_match_when_all_is_chosen(board: Board) -> None:
    for variable in board["templating"]["list"][1:]:
        assert variable["includeAll"]
        assert variable["allValue"] == ".*"
        assert variable["current"]["value"] == "$__all"


def test_every_metric_is_narrowed_to_what_is_chosen(board: Board) -> None:
    for query in queries(board):
        for selector in _selectors(query.expr):
            matched = {one.name: one.value for one in selector.matchers.matchers}
            assert matched["namespace"] == "NAMESPACE", query
            assert matched["release"] == "RELEASE", query
            if board["uid"] == "signals-internals":
                assert matched["instance"] == "INSTANCE", query


def test_counters_are_rated_over_the_right_time(board: Board) -> None:
    for query in queries(board):
        for call in _calls(query.expr, ("rate", "increase", "irate")):
            assert call.args[0].vector_selector.name.endswith(("_total", "_bucket", "_count", "_sum")), query
        assert "irate" not in query.expr
        if "rate(" in query.expr and "[1h]" not in query.expr:
            assert "$__rate_interval" in query.expr, query


def test_every_alert_can_be_seen_on_some_panel() -> None:
    linked = {
        link["title"].removeprefix("Runbook: ")
        for path in DASHBOARDS
        for panel in panels(json.loads(path.read_text()))
        for link in panel["links"]
    }
    assert linked == {one.name for group in alerts.GROUPS.values() for one in group}


def _selectors(expr: str) -> Iterator[Any]:
    for node in _nodes(
        promql_parser.parse(filled(expr, namespace="NAMESPACE", release="RELEASE", instance="INSTANCE"))
    ):
        if isinstance(node, promql_parser.VectorSelector):
            yield node


def _calls(expr: str, names: tuple[str, ...]) -> Iterator[Any]:
    for node in _nodes(promql_parser.parse(filled(expr))):
        if isinstance(node, promql_parser.Call) and node.func.name in names:
            yield node


def _nodes(root: Any) -> list[Any]:
    found: list[Any] = []
    promql_parser.walk(root, found.append)
    return found
