"""Panels in Grafana's JSON, as far as these dashboards need them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from monitoring.narrow import narrow
from monitoring.rules import RUNBOOKS

Json = dict[str, Any]

DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Query:
    """One expression; the dashboard's matchers are added to every metric in it."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """What all kinds of panels have. ``runbooks``: names of alerts."""

    title: str
    description: str
    queries: Sequence[Query]
    unit: str = "short"
    width: int = 12
    height: int = 8
    runbooks: Sequence[str] = ()

    kind = ""
    format = "time_series"
    instant = False

    def as_json(self, matchers: str) -> Json:
        return {
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": DATASOURCE,
            "targets": [self._target(place, query, matchers) for place, query in enumerate(self.queries)],
            "links": [
                {"title": f"Runbook: {name}", "url": f"{RUNBOOKS}/{name}.md", "targetBlank": True}
                for name in self.runbooks
            ],
            "fieldConfig": {"defaults": {"unit": self.unit, **self._defaults()}, "overrides": []},
            "options": self._options(),
        }

    def _target(self, place: int, query: Query, matchers: str) -> Json:
        return {
            "refId": chr(ord("A") + place),
            "datasource": DATASOURCE,
            "expr": narrow(query.expr, matchers),
            "legendFormat": query.legend or "__auto",
            "format": self.format,
            "instant": self.instant,
            "range": not self.instant,
        }

    def _defaults(self) -> Json:
        return {}

    def _options(self) -> Json:
        return {}


def _steps(*limits: tuple[float | None, str]) -> Json:
    return {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in limits]}


@dataclass(frozen=True)
class Stat(Panel):
    """One number. ``bad`` and ``warn``: from where on it is red or yellow; ``good``: from where on green."""

    width: int = 3
    height: int = 4
    bad: float | None = None
    warn: float | None = None
    good: float | None = None
    decimals: int | None = None

    kind = "stat"

    def _defaults(self) -> Json:
        base: Json = {"min": 0, "thresholds": self._thresholds(), "color": {"mode": "thresholds"}}
        return base if self.decimals is None else {**base, "decimals": self.decimals}

    def _thresholds(self) -> Json:
        if self.good is not None:
            warn = () if self.warn is None else ((self.warn, "yellow"),)
            return _steps((None, "red"), *warn, (self.good, "green"))
        limits = ((self.warn, "yellow"), (self.bad, "red"))
        calm = "blue" if self.warn is None and self.bad is None else "green"
        return _steps((None, calm), *((value, color) for value, color in limits if value is not None))

    def _options(self) -> Json:
        return {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "colorMode": "value",
            "graphMode": "area",
            "justifyMode": "auto",
            "textMode": "auto",
        }


@dataclass(frozen=True)
class Lines(Panel):
    """Lines over time, from zero. ``stacked``: on top of each other; ``limit``: a dashed line."""

    stacked: bool = False
    limit: float | None = None
    signed: bool = False

    kind = "timeseries"

    def _defaults(self) -> Json:
        custom: Json = {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 30 if self.stacked else 5,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"mode": "normal" if self.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "off" if self.limit is None else "dashed"},
        }
        if self.signed:
            custom["axisCenteredZero"] = True
        found: Json = {"custom": custom, "color": {"mode": "palette-classic"}}
        if not self.signed:
            found["min"] = 0
        if self.limit is not None:
            found["thresholds"] = _steps((None, "transparent"), (self.limit, "red"))
        return found

    def _options(self) -> Json:
        return {
            "legend": {
                "displayMode": "table",
                "placement": "bottom",
                "showLegend": True,
                "calcs": ["mean", "max", "lastNotNull"],
                "sortBy": "Max",  # what is there comes before what never was
                "sortDesc": True,
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        }


@dataclass(frozen=True)
class Heatmap(Panel):
    """Buckets of a histogram over time."""

    kind = "heatmap"
    format = "heatmap"

    def _defaults(self) -> Json:
        return {"custom": {"scaleDistribution": {"type": "linear"}}}

    def _options(self) -> Json:
        return {
            "calculate": False,
            "cellGap": 1,
            "color": {
                "mode": "scheme",
                "scheme": "Oranges",
                "steps": 64,
                "exponent": 0.5,
                "fill": "dark-orange",
            },
            "filterValues": {"le": 1e-9},
            "rowsFrame": {"layout": "auto"},
            "legend": {"show": True},
            "tooltip": {"mode": "single", "yHistogram": False, "showColorScale": False},
            "yAxis": {"axisPlacement": "left", "reverse": False, "unit": self.unit},
        }


@dataclass(frozen=True)
class Table(Panel):
    """One row per value of a label, one column per query. ``link``: column, title and address."""

    width: int = 24
    height: int = 10
    columns: Sequence[str] = ()
    hidden: Sequence[str] = ()
    units: dict[str, str] = field(default_factory=dict)
    link: tuple[str, str, str] | None = None

    kind = "table"
    format = "table"
    instant = True

    def as_json(self, matchers: str) -> Json:
        panel = super().as_json(matchers)
        many = len(self.queries) > 1
        values = {
            f"Value #{chr(ord('A') + n)}" if many else "Value": name for n, name in enumerate(self.columns)
        }
        panel["transformations"] = [
            *([{"id": "merge", "options": {}}] if many else []),
            {
                "id": "organize",
                "options": {
                    "excludeByName": dict.fromkeys(("Time", *self.hidden), True),
                    "renameByName": values,
                },
            },
        ]
        overrides = [_override(name, {"id": "unit", "value": unit}) for name, unit in self.units.items()]
        if self.link is not None:
            column, title, url = self.link
            overrides.append(_override(column, {"id": "links", "value": [{"title": title, "url": url}]}))
        panel["fieldConfig"]["overrides"] = overrides
        return panel

    def _defaults(self) -> Json:
        return {"custom": {"align": "auto", "filterable": True}}

    def _options(self) -> Json:
        return {"showHeader": True, "cellHeight": "sm"}


def _override(name: str, *properties: Json) -> Json:
    return {"matcher": {"id": "byName", "options": name}, "properties": list(properties)}


@dataclass(frozen=True)
class Row:
    """A headline with panels under it."""

    title: str
    panels: Sequence[Panel]
