"""The lines of a file, with their numbers and byte offsets, so that reading can go on anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

LONGEST_LINE = 1 << 20
"""Bytes of a line that are looked at; what is longer is cut, and no valid signal anyway."""
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Place:
    """A boundary between two lines of a file."""

    offset: int = 0
    """Bytes before it."""
    line: int = 0
    """Lines before it."""


class Lines:
    """Iterates over the lines of a binary file as bytes, line ends included; ``place`` is behind the last."""

    def __init__(self, file: BinaryIO, start: Place) -> None:
        self._file = file
        self.seek(start)

    def seek(self, place: Place) -> None:
        """Go on from there."""
        self._file.seek(place.offset)
        self.place = place

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> bytes:
        raw = self._file.readline(LONGEST_LINE)
        if not raw:
            raise StopIteration
        length, rest = len(raw), raw
        while rest and not rest.endswith(b"\n"):
            rest = self._file.readline(LONGEST_LINE)
            length += len(rest)
        first = self.place.offset == 0
        self.place = Place(self.place.offset + length, self.place.line + 1)
        return raw.removeprefix(BOM) if first else raw
