"""Lines that were not taken, set aside in a file so that they can be mended and sent."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from producers.errors import LoadError
from producers.load.rows import Row


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was not taken, and why."""

    row: Row
    status: str
    error: str

    def as_json(self, run: str) -> str:
        # Bytes that are not UTF-8 survive as lone surrogates, which JSON can escape.
        text = self.row.raw.rstrip(b"\r\n").decode("utf-8", "surrogateescape")
        place: dict[str, object] = {"run": run, "line": self.row.line}
        if self.row.member is not None:
            place["connector"] = self.row.member
        return json.dumps({**place, "status": self.status, "error": self.error, "text": text}) + "\n"

    @property
    def place(self) -> tuple[int, str | None]:
        """Tells it from all others of its run."""
        return self.row.line, self.row.member


class RejectsFile:
    """Appends to ``path``, readable by its owner only: the lines hold tokens.

    Nothing in it is ever removed or replaced: somebody may be mending it.
    """

    def __init__(self, path: Path, run: str, *, after: int) -> None:
        """``after``: lines up to this one are safely noted. Raises LoadError."""
        self.path = path
        self._run = run
        self._noted = self._places_noted(after)

    def append(self, rejects: Iterable[Reject]) -> None:
        """Note these, but for those that an earlier process noted before it was cut off. Raises LoadError."""
        text = "".join(item.as_json(self._run) for item in rejects if item.place not in self._noted)
        if not text:
            return
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "ab") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write((self._separator(file.fileno()) + text).encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise LoadError(
                f"{self.path} cannot be written ({error.strerror}): choose another place with --state-dir"
            ) from None

    @staticmethod
    def _separator(descriptor: int) -> str:
        """A line break, if whoever wrote last was cut off in a line."""
        size = os.fstat(descriptor).st_size
        return "\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else ""

    def _places_noted(self, after: int) -> frozenset[tuple[int, str | None]]:
        try:
            with self.path.open("rb") as file:
                found = (self._place_of(raw) for raw in file)
                return frozenset(place for place in found if place[0] > after)
        except FileNotFoundError:
            return frozenset()
        except OSError as error:
            raise LoadError(f"{self.path} cannot be read: {error.strerror}") from None

    def _place_of(self, raw: bytes) -> tuple[int, str | None]:
        """The place of a reject of this run; line 0 for anything else."""
        try:
            fields = json.loads(raw)
            own = fields["run"] == self._run
            return (int(fields["line"]), fields.get("connector")) if own else (0, None)
        except (ValueError, KeyError, TypeError, AttributeError):
            return 0, None
