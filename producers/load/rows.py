"""From lines to signals not yet looked at: JSON lines and CSV. What cannot be read is an answer too."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

from producers.errors import LoadError
from producers.fanout import GROUP
from producers.load.lines import LONGEST_LINE, Lines, Place
from worker.contract.explain import ORDER_FIELDS, SYNC_FIELDS
from worker.errors import InvalidSignal

LONGEST_ROW = 1 << 16
"""Bytes of a CSV row; a longer one has a quote that is never closed."""


@dataclass(frozen=True, slots=True)
class Row:
    """One signal of a file."""

    line: int
    """Number of its first line, from 1."""
    end: Place
    source: bytes | dict[str, str] | dict[str, object] | InvalidSignal
    raw: bytes
    """As it stands in the file; for a member of a group, as it would stand there for that one."""
    member: str | None = None
    """The account, if the row of the file is for a group."""


Reader: TypeAlias = Callable[[BinaryIO, Place], Iterator[Row]]


class _TooLong(Exception):
    """A CSV row does not end; never leaves this module."""


def read_json_lines(file: BinaryIO, start: Place) -> Iterator[Row]:
    """One JSON object a line; blank lines are passed over."""
    lines = Lines(file, start)
    for raw in lines:
        if raw.strip():
            cut = len(raw) >= LONGEST_LINE and not raw.endswith(b"\n")
            source = InvalidSignal(f"the line is longer than {LONGEST_LINE} bytes") if cut else raw
            yield Row(lines.place.line, lines.place, source, raw)


def read_csv(file: BinaryIO, start: Place) -> Iterator[Row]:
    """Rows under a header of field names; an empty cell means that the field is absent.

    A quoted cell may hold line breaks. Raises LoadError if the header cannot be used.
    """
    feed = _Feed(file, Place())
    names = _field_names(_next_cells(feed))
    if start.offset:
        feed.lines.seek(start)
    while True:
        line = feed.lines.place.line + 1
        cells = _next_cells(feed)
        if cells is None:
            return
        if cells:
            yield Row(line, feed.lines.place, _fields(names, cells, feed.raw), feed.raw)


class _Feed:
    """Gives lines to the CSV reader as text and remembers what it took for the row at hand."""

    def __init__(self, file: BinaryIO, start: Place) -> None:
        self.lines = Lines(file, start)
        self.growing = getattr(file, "growing", False)
        """A row that does not end may do so later."""
        self._taken: list[bytes] = []
        self._size = 0
        # strict: a row that ends in the middle of a quoted cell must not pass for a whole one.
        self._rows = csv.reader(self, strict=True)

        self._ended = False

    @property
    def raw(self) -> bytes:
        return b"".join(self._taken)

    def next_row(self) -> list[str]:
        self._taken.clear()
        self._size = 0
        self._ended = False
        return next(self._rows)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        raw = next(self.lines, b"")
        if not raw:
            self._ended = True
            raise StopIteration
        self._taken.append(raw)
        self._size += len(raw)
        if self._size > LONGEST_ROW:
            raise _TooLong
        return raw.decode("utf-8", "surrogateescape")

    @property
    def ended(self) -> bool:
        """Whether the file ended within the row."""
        return self._ended

    def only_first_line(self, start: Place) -> None:
        """Make the row that begins at ``start`` one line long, and go on behind that."""
        self.lines.seek(start)
        next(self.lines)
        del self._taken[1:]


def _next_cells(feed: _Feed) -> list[str] | InvalidSignal | None:
    """The cells of the next row (none: it is blank), what is wrong with it, or None at the end."""
    start = feed.lines.place
    try:
        return feed.next_row()
    except StopIteration:
        return None
    except (csv.Error, _TooLong) as error:
        if isinstance(error, csv.Error) and not feed.ended:
            return InvalidSignal(f"the row is not valid CSV: {error}")
        if feed.ended and feed.growing:
            feed.lines.seek(start)
            return None
        # The lines behind a stray quote are whole rows of their own: only the first one is bad.
        feed.only_first_line(start)
        return InvalidSignal("the row has a quote that is never closed")


def _fields(names: list[str], cells: list[str] | InvalidSignal, raw: bytes) -> dict[str, str] | InvalidSignal:
    if isinstance(cells, InvalidSignal):
        return cells
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return InvalidSignal(f"the row is not UTF-8 (byte {error.start + 1})")
    # A row cut short must not become an order without a size.
    if len(cells) != len(names):
        return InvalidSignal(f"the row has {len(cells)} cells, the header has {len(names)}")
    return {name: cell for name, cell in zip(names, cells, strict=True) if cell}


def _field_names(header: list[str] | InvalidSignal | None) -> list[str]:
    if header is None:
        return []
    if isinstance(header, InvalidSignal):
        raise LoadError(f"the header (line 1) cannot be read: {header}")
    names = [name.strip() for name in header]
    for name in names:
        if name not in ORDER_FIELDS and name != GROUP:
            raise LoadError(f"the header (line 1) {_wrong_name(name)}")
    if len(set(names)) < len(names):
        raise LoadError("the header (line 1) names a field twice")
    return names


def _wrong_name(name: str) -> str:
    if name in SYNC_FIELDS:
        return f"names `{name}`: a position sync does not fit into CSV, use JSON lines"
    if ";" in name or "\t" in name:
        return "is not separated by commas"
    near = difflib.get_close_matches(name, ORDER_FIELDS, n=1)
    hint = f": did you mean `{near[0]}`?" if near else f", not one of {', '.join(ORDER_FIELDS)}"
    # A file without a header has a signal there, and so maybe a token: show known words only.
    return f"has something that is no field{hint}"
