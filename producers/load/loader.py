"""Loads one file or pipe: which run it is, where to begin, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal

from producers.admission import Terms
from producers.errors import LoadError
from producers.load.growing import GrowingFile, Pipe, followed
from producers.load.members import fanout
from producers.load.pace import Pace
from producers.load.progress import Progress, go_on
from producers.load.rejects import RejectsFile
from producers.load.source import (
    FORMATS,
    HEAD_BYTES,
    Identity,
    has_grown,
    identify,
    opened,
    require_line_end,
    require_text,
)
from producers.load.work import Sender, Watcher, Work, cut
from producers.producer import BATCH
from worker import crash

_GO_ON = "run the same command to go on there, nothing is sent twice"
_LOST = "a pipe cannot be read again, so send what stood behind that line from where it came from"


@dataclass(frozen=True, slots=True)
class Job:
    """What to load and how."""

    path: Path
    format: str
    """One of ``source.FORMATS``."""
    progress_path: Path
    rejects_path: Path
    terms: Terms
    again: bool = False
    unsure: Literal["send", "skip"] | None = None
    follow: bool = False
    """Wait for what is added to the file, until told to stop."""
    rate: float | None = None
    """Signals per second, at most."""


class Loader:
    """Loads one file, once. ``stop`` is asked between batches whether to leave the rest for later."""

    def __init__(
        self,
        job: Job,
        sender: Sender,
        watcher: Watcher,
        *,
        stop: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._job = job
        self._fanout = fanout(job.terms)
        self._sender = sender
        self._watcher = watcher
        self._stop = stop
        self._clock = clock
        self._sleep = sleep

    def run(self) -> Progress:
        """Load what is not yet loaded; the answer's state is ``done``, or ``stopped`` if it was told to.

        Raises LoadError for a file that cannot be (re)loaded, and Interrupted for trouble with Redis. The
        same run can then be gone on with later, and sends nothing twice.
        """
        with opened(self._job.path) as file:
            require_text(file, self._job.path)
            progress, skip = self._start(file)
            work = self._work(progress, self._saving(file), _GO_ON)
            # A file that cannot be read at all must not leave traces: it will be mended and loaded anew.
            first = list(islice(cut(FORMATS[self._job.format](file, progress.place), BATCH, self._fanout), 1))
            # The run's name must outlive us before anything is sent under it.
            progress.save(self._job.progress_path)
            crash.here("load-begun")
            self._watcher.begun(progress)
            if skip and first:
                progress = work.skip(first[0], progress)
            if self._job.follow:
                return self._follow(file, work, progress)
            rows = FORMATS[self._job.format](file, progress.place)
            progress, ended = work.send(cut(rows, work.pace.batch, self._fanout), progress)
            if not ended:
                return self._saved(replace(progress, state="stopped"))
            self._require_unchanged(file, progress)
            return self._saved(replace(progress, state="done"))

    def run_pipe(self, descriptor: int) -> Progress:
        """Load what comes through a pipe, until it ends (``done``) or it is told to stop (``stopped``).

        Nothing is noted but the lines set aside, for nobody can go on with a pipe. Raises as ``run`` does.
        """
        now = self._clock()
        progress = Progress(identity=Identity(0, 0, ""), window=self._job.terms.window, saved_at=now)
        work = self._work(progress, lambda progress: progress, _LOST)
        self._watcher.begun(progress)
        rows = followed(FORMATS[self._job.format], Pipe(descriptor), progress.place)
        progress, ended = work.send(cut(rows, work.pace.batch, self._fanout), progress)
        return replace(progress, state="done" if ended else "stopped")

    def _follow(self, file: BinaryIO, work: Work, progress: Progress) -> Progress:
        grown = GrowingFile(file, self._job.path, self._sleep)
        rows = followed(FORMATS[self._job.format], grown, progress.place)
        progress, _ = work.send(cut(rows, work.pace.batch, self._fanout), progress)
        if not grown.trouble:
            return self._saved(replace(progress, state="stopped", identity=identify(file)))
        self._saved(replace(progress, state="stopped"))
        raise LoadError(grown.trouble)

    def _work(self, progress: Progress, save: Callable[[Progress], Progress], going_on: str) -> Work:
        job = self._job
        return Work(
            sender=self._sender,
            watcher=self._watcher,
            terms=job.terms,
            rejects=RejectsFile(job.rejects_path, progress.run, after=progress.place.line),
            pace=Pace(job.rate, BATCH, sleep=self._sleep),
            save=save,
            going_on=going_on,
            stop=self._stop,
            sleep=self._sleep,
        )

    def _start(self, file: BinaryIO) -> tuple[Progress, bool]:
        """The run to work on, and whether its first batch is to be skipped."""
        job, now = self._job, self._clock()
        identity = identify(file)
        previous = None if job.again else Progress.read(job.progress_path)
        if job.follow and previous is not None and has_grown(file, previous.identity, previous.place):
            require_line_end(file, job.path, previous.place)
            # What was added since is what it is followed for.
            state = "stopped" if previous.state == "done" else previous.state
            previous = replace(previous, identity=identity, state=state)
        known = go_on(previous, identity, name=str(job.path), now=now, unsure=job.unsure)
        if known is None:
            return Progress(identity=identity, window=job.terms.window, saved_at=now), False
        if known.state == "stopped":
            return replace(known, state="running", window=job.terms.window, saved_at=now), False
        # Its batch may have been taken as early as then: it is forgotten no later for our trying again.
        skip = job.unsure == "skip" and known.forgotten(now)
        return replace(known, window=min(known.window, job.terms.window)), skip

    def _saving(self, file: BinaryIO) -> Callable[[Progress], Progress]:
        def save(progress: Progress) -> Progress:
            # A followed file is known again by its beginning, of which there may have been little at first.
            if self._job.follow and progress.identity.size < HEAD_BYTES:
                progress = replace(progress, identity=identify(file))
            return self._saved(progress)

        return save

    def _saved(self, progress: Progress) -> Progress:
        progress = replace(progress, window=self._job.terms.window, saved_at=self._clock())
        progress.save(self._job.progress_path)
        return progress

    def _require_unchanged(self, file: BinaryIO, progress: Progress) -> None:
        if identify(file) != progress.identity:
            raise LoadError(
                f"{self._job.path} changed while it was loaded: what stood there up to line"
                f" {progress.place.line} was sent, so check that; put further signals into a new file"
            )
