"""Files that are still being written, and pipes: shown to the readers only as far as they are whole lines."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from producers.errors import LoadError
from producers.load.lines import LONGEST_LINE, Place
from producers.load.rows import LONGEST_ROW, Reader, Row

POLL = 0.05
"""Seconds between two looks whether something was added."""
_HEAD = 1024
_CHUNK = 1 << 16


class Growing(Protocol):
    """What ``followed`` needs of a source, besides ``seek`` and ``readline``."""

    growing: bool
    """More may come, so that a row which is not whole is to be waited for."""

    def look(self, place: Place) -> bool:
        """Whether whole lines stand behind ``place``; nothing before it is asked for again."""
        ...

    @property
    def ended(self) -> bool:
        """Nothing will come behind what was looked at last."""
        ...

    def wait(self, seconds: float) -> None:
        """Until something may have come, at most so long."""
        ...


def followed(read: Reader, source: Growing, start: Place) -> Iterator[Row | None]:
    """The rows as they come; None whenever there is nothing more for now."""
    place = start
    while True:
        before = place
        if source.look(place):
            for row in read(source, place):  # type: ignore[arg-type]  # it seeks and reads lines only
                place = row.end
                yield row
        yield None
        if source.ended:
            return
        if place == before:
            source.wait(POLL)


class GrowingFile:
    """A regular file. ``trouble`` tells why it cannot be followed any more, once that is so."""

    def __init__(self, file: BinaryIO, path: Path, sleep: Callable[[float], None]) -> None:
        self.growing = True
        self.trouble = ""
        self._file = file
        self._path = path
        self._sleep = sleep
        self._head = b""
        self._end = 0
        self._replaced = False

    def look(self, place: Place) -> bool:
        size = os.fstat(self._file.fileno()).st_size
        if size < place.offset or not self._begins_alike():
            self.trouble = (
                f"{self._path} was truncated or overwritten while it was followed: what stood there up to"
                f" line {place.line} was sent; send what stands there now with --again"
            )
            return False
        self._end = self._behind_last_break(place.offset, size)
        found = self._end > place.offset
        if self._replaced and not found:
            self.trouble = (
                f"{self._path} was rotated: the old file was sent up to line {place.line}, its end;"
                " the same command with --again follows the new one"
            )
        self._replaced = self._is_replaced()
        return found

    @property
    def ended(self) -> bool:
        return bool(self.trouble)

    def wait(self, seconds: float) -> None:
        self._sleep(seconds)

    def seek(self, offset: int) -> None:
        """As of a file."""
        self._file.seek(offset)

    def readline(self, limit: int) -> bytes:
        """As of a file that ends behind its last whole line."""
        room = min(limit, self._end - self._file.tell())
        return self._file.readline(room) if room > 0 else b""

    def _begins_alike(self) -> bool:
        """Whether the file's beginning is what it was: it may have been cut off and filled again."""
        head = os.pread(self._file.fileno(), _HEAD, 0)
        alike = head.startswith(self._head)
        self._head = max(self._head, head, key=len) if alike else self._head
        return alike

    def _behind_last_break(self, start: int, size: int) -> int:
        """Where the last whole line ends; ``start`` if none does."""
        stop = size
        while stop > start:
            begin = max(start, stop - _CHUNK)
            found = os.pread(self._file.fileno(), stop - begin, begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            stop = begin
        return start

    def _is_replaced(self) -> bool:
        try:
            there = self._path.stat()
        except OSError:
            return True
        return not os.path.samestat(there, os.fstat(self._file.fileno()))


class Pipe:
    """Standard input or a FIFO. Keeps what has not been taken yet, and the beginning for its header."""

    def __init__(self, descriptor: int) -> None:
        self.growing = True
        self._descriptor = descriptor
        self._head = bytearray()
        self._kept = bytearray()
        self._base = 0
        """Offset of the first byte in ``_kept``."""
        self._at = 0
        self._end = 0
        self._begun = False

    def look(self, place: Place) -> bool:
        del self._kept[: place.offset - self._base]
        self._base = place.offset
        while self.growing and len(self._kept) < LONGEST_LINE and self._is_readable(0):
            self._take()
        whole = self._kept.rfind(b"\n") + 1 if self.growing else len(self._kept)
        if not whole and len(self._kept) >= LONGEST_LINE:
            raise LoadError(
                f"line {place.line + 1} is longer than {LONGEST_LINE} bytes: nothing behind it was read"
            )
        self._end = self._base + whole
        return whole > 0

    @property
    def ended(self) -> bool:
        return not self.growing

    def wait(self, seconds: float) -> None:
        self._is_readable(seconds)

    def seek(self, offset: int) -> None:
        """To the beginning of a row that was not taken yet, or of the header."""
        self._at = offset

    def readline(self, limit: int) -> bytes:
        """As of a file that ends behind its last whole line."""
        data, base = (self._head, 0) if self._at < self._base else (self._kept, self._base)
        start, stop = self._at - base, min(len(data), self._end - base)
        found = data.find(b"\n", start, stop) + 1 or stop
        line = bytes(data[start : min(found, start + limit)])
        self._at += len(line)
        return line

    def _is_readable(self, seconds: float) -> bool:
        return bool(select.select([self._descriptor], [], [], seconds)[0])

    def _take(self) -> None:
        data = os.read(self._descriptor, _CHUNK)
        # Before its first writer opens it, a FIFO that does not block looks as if it had ended.
        self._begun = self._begun or bool(data)
        self.growing = bool(data)
        self._kept += data
        self._head += data[: max(0, LONGEST_ROW - len(self._head))]
