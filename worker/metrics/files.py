"""Tells whether files that are read again when they change still can be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from worker.metrics import catalogue
from worker.watched import Watched


class WatchedFiles(Collector):
    """Of each file, whether its changes come into force; being scraped has them read."""

    def __init__(self, files: Mapping[str, Watched[Any] | None]) -> None:
        """``files``: by the name of the setting; None for those that are not used."""
        self._files = {name: file for name, file in files.items() if file is not None}

    def collect(self) -> Iterator[Metric]:
        failing = catalogue.gauges("signals_config_failing")
        changes = catalogue.counters("signals_config_changes_total")
        for name, file in self._files.items():
            failing.add_metric([name], float(file.failing() is not None))
            changes.add_metric([name, "taken"], file.reloads)
            changes.add_metric([name, "refused"], file.failures)
        yield failing
        yield changes
