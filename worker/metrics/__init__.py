"""What one process tells Prometheus. An observer like any other: the core does not know it.

No label ever holds a token, an id or free text. ``catalogue`` names every metric, and docs/metrics.md is made
of it.
"""

from worker.metrics.connectors import connector_metrics
from worker.metrics.files import WatchedFiles
from worker.metrics.ledger import LedgerCollector
from worker.metrics.process import Metrics, new_registry

__all__ = [
    "LedgerCollector",
    "Metrics",
    "WatchedFiles",
    "connector_metrics",
    "new_registry",
]
