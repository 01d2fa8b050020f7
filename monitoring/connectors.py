"""How single connectors fare."""

from __future__ import annotations

from monitoring.dashboard import MATCHERS, Dashboard, Variable
from monitoring.panels import Lines, Query, Row, Stat, Table
from monitoring.promql import increase, or_none, rate
from monitoring.recordings import FAILED

OUTCOMES, SECONDS = "signals_connector_outcomes_total", "signals_connector_latency_seconds"
CHOSEN = 'connector=~"$connector"'


def _series(metric: str, outcomes: str = "") -> str:
    return f"{metric}{{{CHOSEN}, {outcomes}}}" if outcomes else f"{metric}{{{CHOSEN}}}"


def _in_range(metric: str, outcomes: str = "") -> str:
    """How much it grew over the time shown, by connector."""
    return f"sum by (connector) ({increase(_series(metric, outcomes), '$__range', '$__range_s')})"


def _per_second(metric: str, outcomes: str = "", *, by: str = "connector") -> str:
    return f"sum by ({by}) ({rate(_series(metric, outcomes))})"


def _with_zero(expr: str) -> str:
    return f"{expr} or {_in_range(OUTCOMES)} * 0"


_FAILING = _in_range(OUTCOMES, f'outcome=~"{FAILED}"')
_REFUSED = _in_range(OUTCOMES, 'outcome=~"rejected|invalid"')
_FAILING_RATE = _per_second(OUTCOMES, 'outcome!~"accepted|cancelled"')
_ACCEPTED = _in_range(OUTCOMES, 'outcome="accepted"')
_SILENT = (
    f"(sum by (connector) (increase({_series(OUTCOMES)}[1d] offset 2h)) > 0"
    f" unless sum by (connector) ({increase(_series(OUTCOMES), '2h', '7200')}) > 0)"
)

_ALL = Row(
    "All that are chosen",
    [
        Stat(
            "Connectors",
            "Connectors with an outcome since their workers started. Beyond SIGNALS_METRICS_CONNECTORS the"
            " quieter ones are counted together as `other`.",
            [Query(f"count(count by (connector) ({OUTCOMES}{{{CHOSEN}}}))")],
            width=4,
        ),
        Stat(
            "Outcomes",
            "Signals that ended in the time shown.",
            [Query(f"sum({_in_range(OUTCOMES)})")],
            width=4,
            decimals=0,
        ),
        Stat(
            "Failed",
            "Of these, those that ended as unsent, expired or unknown.",
            [Query(f"sum({_with_zero(_FAILING)})")],
            width=4,
            decimals=0,
            bad=1,
            runbooks=["SignalsErrorBudgetBurn"],
        ),
        Stat(
            "Refused",
            "Of these, those that the endpoint rejected, or that were not valid.",
            [Query(f"sum({_with_zero(_REFUSED)})")],
            width=4,
            decimals=0,
            warn=1,
            runbooks=["SignalsDeadLettersRising"],
        ),
        Stat(
            "Mean latency",
            "From due time to outcome.",
            [Query(f"sum({_in_range(f'{SECONDS}_sum')}) / (sum({_in_range(f'{SECONDS}_count')}) > 0)")],
            unit="s",
            width=8,
        ),
        Table(
            "Connectors",
            "How signals of each connector ended in the time shown. A click on a name shows it alone.",
            [
                Query(_in_range(OUTCOMES)),
                Query(_with_zero(_ACCEPTED)),
                Query(_with_zero(_REFUSED)),
                Query(_with_zero(_FAILING)),
                Query(f"{_in_range(f'{SECONDS}_sum')} / ({_in_range(f'{SECONDS}_count')} > 0)"),
            ],
            columns=["Outcomes", "Accepted", "Refused", "Failed", "Mean latency"],
            units={"Mean latency": "s"},
            link=(
                "connector",
                "Only this one",
                "/d/signals-connectors?var-connector=${__value.raw}&${datasource:queryparam}"
                "&${namespace:queryparam}&${release:queryparam}&${__url_time_range}",
            ),
        ),
    ],
)

_DETAIL = Row(
    "Over time",
    [
        Lines(
            "Outcomes by connector",
            "The fifteen busiest of those that are chosen, signals per second.",
            [Query(f"topk(15, {_per_second(OUTCOMES)})", "{{connector}}")],
            unit="ops",
            stacked=True,
        ),
        Lines(
            "Outcomes by how",
            "How signals of the chosen connectors end, per second.",
            [Query(_per_second(OUTCOMES, by="outcome"), "{{outcome}}")],
            unit="ops",
            stacked=True,
        ),
        Lines(
            "Mean latency by connector",
            "From due time to outcome; the fifteen slowest of those that are chosen.",
            [
                Query(
                    f"topk(15, {_per_second(f'{SECONDS}_sum')} / ({_per_second(f'{SECONDS}_count')} > 0))",
                    "{{connector}}",
                )
            ],
            unit="s",
        ),
        Lines(
            "Failed and refused by connector",
            "Signals per second that did not become an order, as far as is known.",
            [
                Query(
                    or_none(f"topk(15, {_FAILING_RATE} > 0)", "connector"),
                    "{{connector}}",
                )
            ],
            unit="ops",
        ),
        Table(
            "Silent, but usually not",
            "Connectors without an outcome for two hours that had some in the day before, or none.",
            [
                Query(or_none(_SILENT, "connector")),
            ],
            columns=["Outcomes the day before"],
            height=6,
            runbooks=["SignalsConnectorSilent"],
        ),
    ],
)

CONNECTORS = Dashboard(
    uid="signals-connectors",
    title="Signal Dispatch / Connectors",
    description="How the signals of each connector end, and how long they take.",
    rows=[_ALL, _DETAIL],
    variables=[Variable("connector", OUTCOMES, "Accounts, by connectorName.", MATCHERS)],
)
