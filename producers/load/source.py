"""The file to load: that it can be read, which form it has, and whether it is still the same."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from producers.errors import LoadError
from producers.load.lines import BOM, Place
from producers.load.rows import Reader, read_csv, read_json_lines

HEAD_BYTES = 65_536
FORMATS: dict[str, Reader] = {"jsonl": read_json_lines, "csv": read_csv}
SUFFIXES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv"}


@dataclass(frozen=True, slots=True)
class Identity:
    """Tells whether a file is the one it was."""

    size: int
    mtime_ns: int
    sha256: str
    """Of the first 64 KiB."""


def format_of(path: Path) -> str | None:
    """The format that the file's name tells, if any."""
    return SUFFIXES.get(path.suffix.lower())


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file, locked against being loaded twice at once. Raises LoadError."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise LoadError(f"{path} cannot be read: {error.strerror}") from None
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise LoadError(f"{path} is not a regular file, so a load could not be resumed")
        _lock(file, path)
        yield file


def is_pipe(path: Path) -> bool:
    """Whether ``path`` is ``-``, or something through which bytes come once."""
    return str(path) == "-" or path.is_fifo()


@contextmanager
def piped(path: Path) -> Iterator[int]:
    """The descriptor of a pipe. Opening a FIFO waits for no writer. Raises LoadError."""
    if str(path) == "-":
        yield 0
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise LoadError(f"{path} cannot be read: {error.strerror}") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def identify(file: BinaryIO) -> Identity:
    """Look at the file as it is now."""
    found = os.fstat(file.fileno())
    # Not by reading on: somebody may be in the middle of the file.
    head = hashlib.sha256(os.pread(file.fileno(), min(HEAD_BYTES, found.st_size), 0)).hexdigest()
    return Identity(found.st_size, found.st_mtime_ns, head)


def has_grown(file: BinaryIO, before: Identity, place: Place) -> bool:
    """Whether the file is the one it was, with nothing but more behind it."""
    file.seek(0)
    head = file.read(min(HEAD_BYTES, before.size))
    reached = os.fstat(file.fileno()).st_size >= max(before.size, place.offset)
    return reached and hashlib.sha256(head).hexdigest() == before.sha256


def require_line_end(file: BinaryIO, path: Path, place: Place) -> None:
    """Refuse to go on in the middle of a line. Raises LoadError."""
    file.seek(max(0, place.offset - 1))
    if place.offset and file.read(1) != b"\n":
        raise LoadError(
            f"{path} did not end with a line break when it was loaded, so where its next signal begins is not"
            " known: put new signals into a new file"
        )


def require_text(file: BinaryIO, path: Path) -> None:
    """Refuse what would only give thousands of errors, one for each line. Raises LoadError."""
    file.seek(0)
    head = file.read(4096)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head:
        raise LoadError(f"{path} is not UTF-8 text (it may be UTF-16 or packed): save it as UTF-8")
    start = head.removeprefix(BOM).lstrip()
    if start.startswith(b"["):
        raise LoadError(
            f"{path} is a JSON array, but loading takes one object a line: convert it (jq -c '.[]')"
        )
    if start.partition(b"\n")[0].strip() == b"{":
        raise LoadError(f"{path} has objects over several lines, but loading takes one a line (jq -c .)")


def _lock(file: BinaryIO, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Some network file systems cannot lock what is open for reading: then there is no guard.
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise LoadError(f"{path} is being loaded by another process right now") from None
