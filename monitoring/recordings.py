"""Recording rules: what dashboards and alerts both need, and what is dear to ask for over long windows.

Process metrics are summed over workers. What workers read from the ledger is the same in all of them, so the
largest is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

SUM = "sum without (instance, pod)"
LEDGER = "max without (instance, pod)"
ENDS = "sum without (instance, pod, outcome)"
ENDED = "signals_latency_seconds_count"
"""Counts signals that ended. Unlike `signals_outcomes_total` it is there before the first one, whose increase
would go unseen."""

WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
"""Over which the burning of the error budget is looked at."""
FAILED = "expired|unknown|unsent"
"""Outcomes for which this system or the endpoint is to blame; `rejected` and `invalid` are the sender's."""
DECIDED = f"accepted|cancelled|{FAILED}"


@dataclass(frozen=True)
class Recording:
    """One recorded series: ``level:metric:operation``."""

    name: str
    expr: str


def quantile(share: float, metric: str, *beside: str, over: str = "5m", where: str = "") -> str:
    """The expression of a quantile over all workers; labels ``beside`` le, instance and pod are summed up."""
    gone = ", ".join(("instance", "pod", *beside))
    return f"histogram_quantile({share:g}, sum without ({gone}) (rate({metric}_bucket{where}[{over}])))"


RATES = (
    Recording("signals:outcomes:rate5m", f"{SUM} (rate(signals_outcomes_total[5m]))"),
    Recording("signals:posts:rate5m", f"{SUM} (rate(signals_post_duration_seconds_count[5m]))"),
    Recording("signals:retries:rate5m", f"{SUM} (rate(signals_retries_total[5m]))"),
    Recording("signals:admitted:rate5m", f"{LEDGER} (rate(signals_admitted_total[5m]))"),
    Recording(
        "signals:post_duration_seconds:p50_5m", quantile(0.5, "signals_post_duration_seconds", "verdict")
    ),
    Recording(
        "signals:post_duration_seconds:p99_5m", quantile(0.99, "signals_post_duration_seconds", "verdict")
    ),
    Recording("signals:latency_seconds:p50_5m", quantile(0.5, "signals_latency_seconds", "outcome")),
    Recording("signals:latency_seconds:p99_5m", quantile(0.99, "signals_latency_seconds", "outcome")),
    Recording("signals:lateness_seconds:p50_5m", quantile(0.5, "signals_lateness_seconds")),
    Recording("signals:lateness_seconds:p99_5m", quantile(0.99, "signals_lateness_seconds")),
    Recording("signals:gateway_requests:rate5m", f"{SUM} (rate(signals_gateway_requests_total[5m]))"),
    Recording(
        "signals:gateway_request_duration_seconds:p99_5m",
        quantile(
            0.99,
            "signals_gateway_request_duration_seconds",
            "route",
            where='{route!~"livez|readyz|metrics"}',
        ),
    ),
)


def _failures(window: str) -> Recording:
    """The share of failures; without traffic there is none."""
    failed, ended = (f'{ENDS} (rate({ENDED}{{outcome=~"{which}"}}[{window}]))' for which in (FAILED, DECIDED))
    return Recording(f"signals:failures:ratio_rate{window}", f"{failed} / ({ended} > 0)")


BURN = tuple(_failures(window) for window in WINDOWS)

GROUPS = {"signals-rates": RATES, "signals-burn": BURN}
