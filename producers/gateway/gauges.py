"""The gateway's metrics. No label holds a token, a key, a name or a path: only words of this code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from producers.receipts import Receipt, Status
from worker.metrics import catalogue
from worker.metrics.catalogue import Spec
from worker.metrics.files import WatchedFiles
from worker.watched import Watched

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; TradingView waits 3."""

REQUESTS = Spec(
    "signals_gateway_requests_total", "counter", "Requests, by route and class of status.",
    ("route", "status"),
)  # fmt: skip
SECONDS = Spec(
    "signals_gateway_request_duration_seconds", "histogram",
    "From a request's head to the end of its answer.", ("route",),
)  # fmt: skip
ADMISSIONS = Spec(
    "signals_gateway_admissions_total", "counter",
    "Signals, by what became of them: a receipt's status, busy, unavailable or unknown.", ("status",),
)  # fmt: skip
UNRELEASED = Spec(
    "signals_gateway_unreleased_total", "counter",
    "Webhook messages whose text stays known, because their answer may have come too late.",
)  # fmt: skip
WAITING = Spec("signals_gateway_waiting", "gauge", "Signals that wait for Redis.")
FILES = ("signals_config_failing", "signals_config_changes_total")
"""Told in the same way by a worker."""

CATALOGUE = (
    REQUESTS, SECONDS, ADMISSIONS, UNRELEASED, WAITING, *(catalogue.CATALOGUE[name] for name in FILES),
)  # fmt: skip
"""Every metric of a gateway."""


class Gauges:
    """Counts and times what the gateway does."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # as a worker does
        self.registry = registry = CollectorRegistry()
        self._requests = Counter(*_told(REQUESTS), registry=registry)
        self._seconds = Histogram(*_told(SECONDS), registry=registry, buckets=BUCKETS)
        self._admissions = Counter(*_told(ADMISSIONS), registry=registry)
        self._unreleased = Counter(*_told(UNRELEASED), registry=registry)
        # Looking children up by their labels costs more than counting.
        self._admissions_of = {status: self._admissions.labels(status.value) for status in Status}
        self._requests_of: dict[tuple[str, int], Counter] = {}
        self._seconds_of: dict[str, Histogram] = {}

    def watch(self, *, waiting: Callable[[], float], files: Mapping[str, Watched[Any] | None]) -> None:
        """``files``: by the name of the setting; None for those that are not used."""
        Gauge(*_told(WAITING), registry=self.registry).set_function(waiting)
        self.registry.register(WatchedFiles(files))

    def answered(self, route: str, status: int, seconds: float) -> None:
        place = (route, status // 100)
        counter = self._requests_of.get(place)
        if counter is None:
            counter = self._requests_of[place] = self._requests.labels(route, f"{status // 100}xx")
        timer = self._seconds_of.get(route)
        if timer is None:
            timer = self._seconds_of[route] = self._seconds.labels(route)
        counter.inc()
        timer.observe(seconds)

    def admitted(self, receipts: Sequence[Receipt]) -> None:
        for receipt in receipts:
            self._admissions_of[receipt.status].inc()

    def refused(self, why: str, count: int) -> None:
        self._admissions.labels(why).inc(count)

    def unreleased(self) -> None:
        self._unreleased.inc()


def _told(spec: Spec) -> tuple[str, str, tuple[str, ...]]:
    return spec.name, spec.help, spec.labels
