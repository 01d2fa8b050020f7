"""The queries of dashboards, as Grafana would send them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.monitoring.promtool import HOUSE

DASHBOARDS = sorted((HOUSE / "helm" / "dashboards").glob("*.json"))


@dataclass(frozen=True)
class Query:
    """One query, and where it stands."""

    board: str
    panel: str
    ref: str
    expr: str

    def __str__(self) -> str:
        return f"{self.board} / {self.panel} / {self.ref}: {self.expr}"


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Those that show something."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries(board: dict[str, Any]) -> Iterator[Query]:
    for panel in panels(board):
        for target in panel["targets"]:
            yield Query(board["uid"], panel["title"], target["refId"], target["expr"])


def filled(expr: str, *, interval: str = "5m", **variables: str) -> str:
    """With variables replaced; all are chosen where nothing else is given."""
    known = {"__rate_interval": interval, "__range": "1h", **variables}
    return re.sub(r"\$(\w+)", lambda found: known.get(found[1], ".*"), expr)
