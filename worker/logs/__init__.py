"""Log lines: one form for the worker's own and Celery's. Nothing that is logged holds a body or a token."""

from worker.logs.form import configure
from worker.logs.observer import LogObserver

__all__ = ["LogObserver", "configure"]
