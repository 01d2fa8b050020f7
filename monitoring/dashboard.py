"""Dashboards in Grafana's JSON.

Panels are laid out from left to right in rows; ids and places follow from the order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from monitoring.narrow import narrow
from monitoring.panels import DATASOURCE, Json, Row
from monitoring.rules import RUNBOOKS

WIDTH = 24
SCHEMA_VERSION = 39  # Grafana 11; newer ones read it too
MATCHERS = 'namespace=~"$namespace", release=~"$release"'
"""Labels that are absent outside of Kubernetes match, too: the value of All is ``.*``."""


@dataclass(frozen=True)
class Variable:
    """A choice of label values, offered above the panels."""

    name: str
    metric: str
    description: str
    within: str = ""

    def as_json(self) -> Json:
        query = (
            f"label_values({narrow(self.metric, self.within) if self.within else self.metric}, {self.name})"
        )
        return {
            "name": self.name,
            "label": self.name.capitalize(),
            "description": self.description,
            "type": "query",
            "datasource": DATASOURCE,
            "query": {"query": query, "refId": self.name},
            "definition": query,
            "refresh": 2,
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all", "selected": True},
        }


@dataclass(frozen=True)
class Dashboard:
    """A page of rows."""

    uid: str
    title: str
    description: str
    rows: Sequence[Row]
    variables: Sequence[Variable] = ()
    matchers: str = MATCHERS

    def as_json(self) -> Json:
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["signals"],
            "schemaVersion": SCHEMA_VERSION,
            "editable": False,
            "graphTooltip": 1,
            "refresh": "10s",
            "time": {"from": "now-1h", "to": "now"},
            "timezone": "browser",
            "links": [
                {
                    "type": "dashboards",
                    "title": "Signal Dispatch",
                    "tags": ["signals"],
                    "asDropdown": False,
                    "includeVars": True,
                    "keepTime": True,
                },
                {"type": "link", "title": "Runbooks", "url": RUNBOOKS, "icon": "doc", "targetBlank": True},
            ],
            "annotations": {"list": []},
            "templating": {"list": [_datasource(), *(one.as_json() for one in (*_PLACES, *self.variables))]},
            "panels": list(self._panels()),
        }

    def _panels(self) -> Iterator[Json]:
        number, top = 0, 0
        for row in self.rows:
            number += 1
            place = {"x": 0, "y": top, "w": WIDTH, "h": 1}
            yield {
                "id": number,
                "type": "row",
                "title": row.title,
                "collapsed": False,
                "gridPos": place,
                "panels": [],
            }
            top += 1
            left = lowest = 0
            for panel in row.panels:
                if left + panel.width > WIDTH:
                    top, left, lowest = top + lowest, 0, 0
                number += 1
                place = {"x": left, "y": top, "w": panel.width, "h": panel.height}
                yield {"id": number, **panel.as_json(self.matchers), "gridPos": place}
                left, lowest = left + panel.width, max(lowest, panel.height)
            top += lowest


def _datasource() -> Json:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "refresh": 1,
        "includeAll": False,
        "multi": False,
    }


_PLACES = (
    Variable("namespace", "signals_threads", "Namespaces of Kubernetes; elsewhere there are none."),
    Variable("release", "signals_threads", "Releases of the chart; elsewhere there are none."),
)
