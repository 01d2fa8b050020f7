"""Names that more than one language or library must agree on. docs/keys.md describes every key."""

from __future__ import annotations

RING_QUEUE = "rings"
"""Celery queue of ``signals.drain``: lanes that have work."""
WAKE_QUEUE = "wakes"
"""Celery queue of ``signals.wake``: apart from the rings, so that a backlog of those does not delay it."""
