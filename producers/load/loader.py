"""Loads one file: reads, sends batch by batch, notes how far it came."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from producers.admission import Draft, Terms
from producers.errors import Interrupted, LoadError, interrupted
from producers.load.ahead import Ahead
from producers.load.progress import Progress, go_on
from producers.load.rejects import Reject, RejectsFile
from producers.load.rows import Row
from producers.load.source import FORMATS, identify, opened, require_text
from producers.producer import BATCH
from producers.receipts import Receipt, Status
from worker import crash
from worker.errors import QueueUnavailable, QueueUnusable

ROOM_PAUSE = 0.25
"""Seconds between two looks whether there is room."""
BATCH_BYTES = 4 << 20
"""A batch ends when it holds so much, however few lines that are: bounds memory."""


class Sender(Protocol):
    """The part of ``SignalProducer`` that loading needs."""

    def ready(self, drafts: list[Draft], terms: Terms) -> Callable[[], list[Receipt]]:
        """Check a batch now, and send it when the answer is called: that may be in another thread."""
        ...


class Watcher(Protocol):
    """Is told how a load goes."""

    def begun(self, progress: Progress) -> None:
        """About to read on from there."""
        ...

    def advanced(self, progress: Progress) -> None:
        """A batch is done and noted."""
        ...

    def waiting(self, signals: int) -> None:
        """So many of a batch have to wait, because too many of their connectors' signals do already."""
        ...

    def refused(self, reject: Reject) -> None:
        """A line was set aside."""
        ...

    def warned(self, line: int, text: str) -> None:
        """A line was taken that is probably not meant so."""
        ...


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
            rejects = RejectsFile(self._job.rejects_path, progress.run, after=progress.place.line)
            batches = _batches(FORMATS[self._job.format](file, progress.place))
            # A file that cannot be read at all must not leave traces: it will be mended and loaded anew.
            first = list(islice(batches, 1))
            # The run's name must outlive us before anything is sent under it.
            progress.save(self._job.progress_path)
            crash.here("load-begun")
            self._watcher.begun(progress)
            progress, ended = self._work(chain(first, batches), progress, rejects, skip=skip)
            if not ended:
                return self._saved(replace(progress, state="stopped"))
            self._require_unchanged(file, progress)
            return self._saved(replace(progress, state="done"))

    def _start(self, file: BinaryIO) -> tuple[Progress, bool]:
        """The run to work on, and whether its first batch is to be skipped."""
        job, now = self._job, self._clock()
        identity = identify(file)
        previous = None if job.again else Progress.read(job.progress_path)
        known = go_on(previous, identity, name=str(job.path), now=now, unsure=job.unsure)
        if known is None:
            return Progress(identity=identity, window=job.terms.window, saved_at=now), False
        if known.state == "stopped":
            return replace(known, state="running", window=job.terms.window, saved_at=now), False
        # Its batch may have been taken as early as then: it is forgotten no later for our trying again.
        skip = job.unsure == "skip" and known.forgotten(now)
        return replace(known, window=min(known.window, job.terms.window)), skip

    def _work(
        self, batches: Iterator[list[Row]], progress: Progress, rejects: RejectsFile, *, skip: bool
    ) -> tuple[Progress, bool]:
        """Send batch after batch, each checked while the one before is on its way; how far that came, and
        whether to the end."""
        under_way: list[Row] = []
        sent: list[Draft] = []
        with closing(Ahead[list[Receipt]]()) as ahead:
            for batch in chain(batches, [[]]):
                drafts = [Draft(row.source, progress.key(row.line), progress.id(row.line)) for row in batch]
                send = self._sender.ready(drafts, self._job.terms)
                if under_way:
                    progress = self._note(under_way, self._taken(ahead, sent, progress), progress, rejects)
                    self._watcher.advanced(progress)
                    if self._stop():
                        return progress, False
                if skip:
                    progress, skip, batch = self._skip(batch, progress, rejects), False, []
                if batch:
                    ahead.begin(send)
                under_way, sent = batch, drafts
        return progress, True

    def _taken(self, ahead: Ahead[list[Receipt]], drafts: list[Draft], progress: Progress) -> list[Receipt]:
        """Receipts for all that are under way; those for which there is no room are sent again until there
        is."""
        try:
            return self._with_room(ahead.end(), drafts, progress)
        except (QueueUnavailable, QueueUnusable) as error:
            raise _resumable(error, progress) from error

    def _with_room(self, receipts: list[Receipt], drafts: list[Draft], progress: Progress) -> list[Receipt]:
        while full := [place for place, one in enumerate(receipts) if one.status is Status.FULL]:
            self._watcher.waiting(len(full))
            if self._stop():
                raise LoadError(
                    f"stopped behind line {progress.place.line}, waiting for room:"
                    " run the same command to go on there, nothing is sent twice"
                )
            self._sleep(ROOM_PAUSE)
            again = self._sender.ready([drafts[place] for place in full], self._job.terms)()
            for place, receipt in zip(full, again, strict=True):
                receipts[place] = receipt
        return receipts

    def _note(
        self, batch: list[Row], receipts: list[Receipt], progress: Progress, rejects: RejectsFile
    ) -> Progress:
        """Write down what became of a batch."""
        crash.here("load-taken")
        noticed = [
            (row, receipt)
            for row, receipt in zip(batch, receipts, strict=True)
            if receipt.warnings or not receipt.ok
        ]
        self._set_aside(
            [Reject(row, one.status.value, one.error or "") for row, one in noticed if not one.ok], rejects
        )
        crash.here("load-set-aside")
        for row, receipt in noticed:
            for text in receipt.warnings if receipt.ok else ():
                self._watcher.warned(row.line, text)
        counters = progress.counters.with_receipts(receipts)
        return self._saved(replace(progress, place=batch[-1].end, counters=counters))

    def _skip(self, batch: list[Row], progress: Progress, rejects: RejectsFile) -> Progress:
        why = "may have been taken already: look at the queue before you send it again"
        self._set_aside([Reject(row, "unsure", why) for row in batch], rejects)
        counters = replace(progress.counters, unsure=progress.counters.unsure + len(batch))
        return self._saved(replace(progress, place=batch[-1].end, counters=counters))

    def _set_aside(self, refused: list[Reject], rejects: RejectsFile) -> None:
        rejects.append(refused)
        for reject in refused:
            self._watcher.refused(reject)

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


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Cut the rows into batches, at the same places whenever reading starts at the same place."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += len(row.raw)
        if len(batch) == BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _resumable(error: QueueUnavailable | QueueUnusable, progress: Progress) -> Interrupted:
    reason = " ".join(str(error).split()).rstrip(".")
    text = (
        f"{reason}; stopped behind line {progress.place.line}:"
        " run the same command to go on there, nothing is sent twice"
    )
    return type(interrupted(error, ()))(text)
