"""``signal-worker run``."""

from __future__ import annotations

import sys

import click

from worker.settings import load_settings


@click.command()
def command() -> None:
    """Take signals and post them until SIGTERM or Ctrl-C.

    \b
    Example:
      SIGNALS_REDIS_URL=redis://127.0.0.1:6379/0 signal-worker run
    """
    from worker.app import Worker  # Celery takes half a second to import

    sys.exit(Worker(load_settings()).run())
