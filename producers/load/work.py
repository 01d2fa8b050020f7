"""Sends batch after batch, and notes after each how far it came."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Protocol

from producers.admission import Draft, Terms
from producers.errors import Interrupted, LoadError, interrupted
from producers.load.members import Fanout
from producers.load.pace import Pace
from producers.load.progress import Progress
from producers.load.rejects import Reject, RejectsFile
from producers.load.rows import Row
from producers.load.shipment import Call, Shipment
from producers.receipts import Receipt, Status
from worker import crash
from worker.errors import QueueUnavailable, QueueUnusable

ROOM_PAUSE = 0.25
"""Seconds between two looks whether there is room."""
BATCH_BYTES = 4 << 20
"""A batch ends when it holds so much, however few lines that are: bounds memory."""


class Sender(Protocol):
    """The part of ``SignalProducer`` that loading needs."""

    def ready(self, drafts: list[Draft], terms: Terms) -> Call:
        """Check a batch now, and send it when the answer is begun."""
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
class _UnderWay:
    """A batch of which nobody knows yet what became of it."""

    rows: list[Row]
    drafts: list[Draft]
    shipment: Shipment


@dataclass(frozen=True, slots=True)
class Work:
    """What sends the batches of one run."""

    sender: Sender
    watcher: Watcher
    terms: Terms
    rejects: RejectsFile
    pace: Pace
    save: Callable[[Progress], Progress]
    """Notes how far it came, before anything behind that is sent."""
    going_on: str
    """What a person can do after it stopped part-way."""
    stop: Callable[[], bool]
    sleep: Callable[[float], None]

    def send(self, batches: Iterator[list[Row]], progress: Progress) -> tuple[Progress, bool]:
        """Send them, each checked while the one before is on its way; how far that came, and whether to the
        end. An empty batch means that there is nothing more for now."""
        under_way: _UnderWay | None = None
        try:
            for batch in chain(batches, [[]]):
                following = self._checked(batch, progress) if batch else None
                if under_way is not None:
                    progress = self._note(under_way.rows, self._taken(under_way, progress), progress)
                    under_way = None
                    self.watcher.advanced(progress)
                    if self.stop():
                        return progress, False
                if not (self.pace.wait(len(batch), self.stop) if batch else not self.stop()):
                    return progress, False
                if following is not None:
                    under_way = following
                    self._begin(following, progress)
        finally:
            if under_way is not None:
                under_way.shipment.drop()
        return progress, True

    def skip(self, batch: list[Row], progress: Progress) -> Progress:
        """Set a batch aside of which nobody knows whether it was taken."""
        why = "may have been taken already: look at the queue before you send it again"
        self._set_aside([Reject(row, "unsure", why) for row in batch])
        counters = replace(progress.counters, unsure=progress.counters.unsure + len(batch))
        progress = self.save(replace(progress, place=batch[-1].end, counters=counters))
        self.watcher.advanced(progress)
        return progress

    def _checked(self, rows: list[Row], progress: Progress) -> _UnderWay:
        # The id is the same whenever this line is sent: so a clientOrderId tells all that the key would.
        drafts = [
            Draft(row.source, progress.key(row.line), progress.id(row.line, row.member), key_is_spare=True)
            for row in rows
        ]
        return _UnderWay(rows, drafts, self._shipment(drafts))

    def _shipment(self, drafts: list[Draft]) -> Shipment:
        return Shipment(drafts, lambda part: self.sender.ready(part, self.terms))

    def _begin(self, batch: _UnderWay, progress: Progress) -> None:
        try:
            batch.shipment.begin()
        except (QueueUnavailable, QueueUnusable) as error:
            raise self._resumable(error, progress) from error

    def _taken(self, batch: _UnderWay, progress: Progress) -> list[Receipt]:
        """Receipts for all that are under way; those for which there is no room are sent again until there
        is."""
        try:
            return self._with_room(batch.shipment.end(), batch.drafts, progress)
        except (QueueUnavailable, QueueUnusable) as error:
            raise self._resumable(error, progress) from error

    def _with_room(self, receipts: list[Receipt], drafts: list[Draft], progress: Progress) -> list[Receipt]:
        while full := [place for place, one in enumerate(receipts) if one.status is Status.FULL]:
            self.watcher.waiting(len(full))
            if self.stop():
                raise LoadError(
                    f"stopped behind line {progress.place.line}, waiting for room: {self.going_on}"
                )
            self.sleep(ROOM_PAUSE)
            again = self._shipment([drafts[place] for place in full])
            again.begin()
            for place, receipt in zip(full, again.end(), strict=True):
                receipts[place] = receipt
        return receipts

    def _note(self, batch: list[Row], receipts: list[Receipt], progress: Progress) -> Progress:
        """Write down what became of a batch."""
        crash.here("load-taken")
        noticed = [
            (row, receipt)
            for row, receipt in zip(batch, receipts, strict=True)
            if receipt.warnings or not receipt.ok
        ]
        self._set_aside([Reject(row, one.status, one.error or "") for row, one in noticed if not one.ok])
        crash.here("load-set-aside")
        for row, receipt in noticed:
            for text in receipt.warnings if receipt.ok else ():
                self.watcher.warned(row.line, text)
        counters = progress.counters.with_receipts(receipts)
        return self.save(replace(progress, place=batch[-1].end, counters=counters))

    def _set_aside(self, refused: list[Reject]) -> None:
        self.rejects.append(refused)
        for reject in refused:
            self.watcher.refused(reject)

    def _resumable(self, error: QueueUnavailable | QueueUnusable, progress: Progress) -> Interrupted:
        reason = " ".join(str(error).split()).rstrip(".")
        text = f"{reason}; stopped behind line {progress.place.line}: {self.going_on}"
        return type(interrupted(error, ()))(text)


def cut(rows: Iterator[Row | None], most: int, fanout: Fanout) -> Iterator[list[Row]]:
    """Batches of the rows for which these stand, cut between two of these, and at the same places whenever
    reading starts at the same place; None ends a batch."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        if row is not None:
            members = fanout(row)
            batch += members
            size += sum(len(member.raw) for member in members)
        if row is None or len(batch) >= most or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
