"""Shows on standard error how a load goes: a bar on a terminal, and what is wrong with which line."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from producers.load import progress as load
from producers.load.rejects import Reject

SHOWN = 20
"""Lines that are told of, for each kind; the rest is in the file."""


class Bar:
    """A watcher of ``producers.load.loader.Loader``. Never shows a line itself, because of its token."""

    def __init__(self, console: Console | None = None, *, endless: bool = False) -> None:
        self._endless = endless
        self._console = console or Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
        )
        self._task = self._progress.add_task("loading", total=None)
        self._told = {"refused": 0, "warned": 0, "waiting": 0}
        self.before = 0
        """Signals that earlier processes handled."""

    def begun(self, progress: load.Progress) -> None:
        self.before = progress.counters.signals
        # What grows, or comes through a pipe, has no end to be shown.
        total = None if self._endless else progress.identity.size
        self._progress.update(self._task, total=total, completed=progress.place.offset)
        if progress.place.line:
            self._say(f"going on behind line {progress.place.line}")

    def advanced(self, progress: load.Progress) -> None:
        counters = progress.counters
        self._progress.update(
            self._task,
            completed=progress.place.offset,
            description=f"{counters.signals} signals, {counters.refused} set aside",
        )

    def waiting(self, signals: int) -> None:
        if not self._told["waiting"]:
            self._say("too many signals wait for their turn: going on as the workers make room")
        self._told["waiting"] += 1
        self._progress.update(self._task, description=f"waiting for room for {signals} signals")

    def refused(self, reject: Reject) -> None:
        self._tell("refused", f"line {reject.row.line}: {reject.status}: {reject.error}")

    def warned(self, line: int, text: str) -> None:
        self._tell("warned", f"line {line}: warning: {text}")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def _tell(self, kind: str, text: str) -> None:
        self._told[kind] += 1
        if self._told[kind] <= SHOWN:
            self._say(text)
        elif self._told[kind] == SHOWN + 1:
            rest = "further refused lines: see the file they are set aside in"
            self._say(rest if kind == "refused" else "further warnings are not shown")

    def _say(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)
