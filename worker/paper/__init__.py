"""The paper endpoint: answers like the webhook (or worse), and shows what it received."""

from __future__ import annotations

from worker.paper.mischief import Mischief
from worker.paper.server import PaperServer

__all__ = ["Mischief", "PaperServer"]
