"""What Redis must have done with a write before we rely on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["memory", "fsync", "replicas"]


@dataclass(frozen=True, slots=True)
class Durability:
    """How safe a write must be before a signal counts as accepted, or goes out.

    ``memory``: as safe as Redis keeps it anyway. ``fsync``: on the primary's disk (WAITAOF). ``replicas``:
    in the memory of so many replicas (WAIT). The safer, the later: each call waits for it.
    """

    kind: Kind = "memory"
    replicas: int = 1
    timeout_ms: int = 1500
    """How long one call waits for it; less than the client's timeout."""

    @property
    def command(self) -> tuple[object, ...] | None:
        """What to ask on the connection that wrote; None if there is nothing to wait for."""
        if self.kind == "fsync":
            return "WAITAOF", 1, 0, self.timeout_ms
        if self.kind == "replicas":
            return "WAIT", self.replicas, self.timeout_ms
        return None

    def met(self, reply: Any) -> bool:
        """Whether the answer to ``command`` says that it is so; an error says that it is not."""
        if self.kind == "fsync":
            return isinstance(reply, list) and reply[0] >= 1
        return isinstance(reply, int) and reply >= self.replicas

    @property
    def missing(self) -> str:
        """What is not so, for a person."""
        if self.kind == "fsync":
            return f"not on its disk within {self.timeout_ms} ms"
        return f"not in {self.replicas} replica(s) within {self.timeout_ms} ms"


MEMORY = Durability()
