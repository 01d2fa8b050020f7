"""Names that more than one language or library must agree on. docs/keys.md describes every key."""

from __future__ import annotations

FORMAT = 1
"""Version of what the keys hold. A release that changes it can read the one before; who knows only older ones
than Redis holds touches nothing. Raise it if an older release would misread what this one writes."""
RING_QUEUE = "rings"
"""Celery queue of ``signals.drain``: lanes that have work."""
LANES_PER_RING = 32
"""How many lanes one ring names at most."""
WAKE_QUEUE = "wakes"
"""Celery queue of ``signals.wake``: apart from the rings, so that a backlog of those does not delay it."""
