"""Looks for mistakes in messages, alert templates and Pine scripts before they cost money.

sources (what is in a file) ──▶ pine (messages in a script) ──▶ template (samples for placeholders)
      └───────────────────▶ message (the contract's own rules) ◀──┘        └──▶ findings

Pure: takes texts, gives findings. The contract judges; nothing here knows its fields' rules a second time.
"""

from __future__ import annotations

from producers.lint.findings import Finding, Severity
from producers.lint.sources import examine

__all__ = ["Finding", "Severity", "examine"]
