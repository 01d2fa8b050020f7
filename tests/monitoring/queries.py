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


def filled(expr: str, *, interval: str = "5m", time_range: str = "1h", **variables: str) -> str:
    """With variables replaced; all are chosen where nothing else is given."""
    known = {
        "__rate_interval": interval,
        "__rate_interval_ms": f"{_seconds(interval) * 1000}",
        "__range": time_range,
        "__range_s": f"{_seconds(time_range)}",
        **variables,
    }
    return re.sub(r"\$(\w+)", lambda found: known.get(found[1], ".*"), expr)


def _seconds(duration: str) -> int:
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]
