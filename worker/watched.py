"""A file's content that follows the file: read again when it changes, kept while it is broken."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from worker.clock import steady
from worker.errors import SettingsError

log = logging.getLogger(__name__)

T = TypeVar("T")
_Marks = list[tuple[int, ...] | None]

LOOK_EVERY = 1.0
"""Seconds between two looks at the files."""
LOOK_SHARE = 50
"""A look that takes long, because there are many files, is made more rarely: after so many times as long."""


class Watched(Generic[T]):
    """What ``path`` says. Needs no thread: whoever asks has it looked at, one of them at a time.

    ``read`` gives the content and the files it stands on beside ``path`` (tokens in files of their own). A
    content is replaced whole; a file that cannot be read, or says nonsense, leaves the old one in force.
    """

    def __init__(
        self,
        path: str | Path,
        read: Callable[[Path], tuple[T, Sequence[Path]]],
        *,
        in_background: bool = False,
        clock: Callable[[], float] = steady,
    ) -> None:
        """Reads the file. ``read`` raises SettingsError for one that must not come into force, and so does
        this. ``in_background``: later states are read in a thread, and who asks meanwhile is given the old
        content; for callers that must not be held up."""
        self._path = Path(path)
        self._read = read
        self._clock = clock
        self._in_background = in_background
        self._turn = threading.Lock()
        self._failure: str | None = None
        self.reloads = 0
        """How often a changed file has been taken over."""
        self.failures = 0
        """How often a changed file was refused."""
        self._content, self._files, self._mark = self._read_whole([self._path])
        self._next_look = clock() + LOOK_EVERY

    def current(self) -> T:
        """The content in force; at most a second older than the file, unless that is broken."""
        if self._clock() >= self._next_look and self._turn.acquire(blocking=False):
            if self._in_background:
                threading.Thread(target=self._take_turn, name="file", daemon=True).start()
            else:
                self._take_turn()
        return self._content

    def failing(self) -> str | None:
        """Why the file as it stands now is not in force; None if it is."""
        self.current()
        return self._failure

    def _take_turn(self) -> None:
        try:
            self._look()
        finally:
            self._turn.release()

    def _look(self) -> None:
        began = self._clock()
        # What is missing from a broken file may be a file of which nobody knows yet: so try anew each time.
        if self._failure is not None or _marks(self._files) != self._mark:
            self._reload()
        ended = self._clock()
        self._next_look = ended + max(LOOK_EVERY, LOOK_SHARE * (ended - began))

    def _reload(self) -> None:
        try:
            self._content, self._files, self._mark = self._read_whole(self._files)
        except SettingsError as error:
            if str(error) != self._failure:
                self._failure = str(error)
                self.failures += 1
                log.error(  # noqa: TRY400 - a line for an operator, not a traceback
                    "file refused, what it said before stays in force", extra={"error": str(error)}
                )
            return
        self._failure = None
        self.reloads += 1
        log.info("file read again", extra={"file": str(self._path)})

    def _read_whole(self, files: list[Path]) -> tuple[T, list[Path], _Marks]:
        """The content, the files it stands on, and how those looked before they were read."""
        for _ in range(3):
            marks = _marks(files)
            content, beside = self._read(self._path)
            if files == [self._path, *beside]:
                break
            files = [self._path, *beside]
        return content, files, marks


def _marks(files: list[Path]) -> _Marks:
    return [_mark(file) for file in files]


def _mark(file: Path) -> tuple[int, ...] | None:
    """What changes when a file is written or replaced (behind a symbolic link, too); None without one."""
    try:
        found = os.stat(file)  # noqa: PTH116 - half the time of Path.stat, for thousands of files
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
