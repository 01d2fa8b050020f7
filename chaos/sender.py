"""A sender as a process of its own, which may be killed at any moment.

    python -m chaos.sender '{"url": …, "prefix": …, "seed": …, "me": 0, "senders": 3, "rate": 60,
                             "since": …, "journal": …, "expiry": 20, "tail": 1000000}'

It notes what it is about to send before it does, and what it was told after, each with one write that the
kernel has taken before it goes on: so what it knew when it was killed is known. Started again, it goes on
where its journal ends. ``since`` is the monotonic time at which the stream of parcels began, ``rate`` the
signals per second of all senders together.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chaos.traffic import Item, Parcel, id_of, traffic
from producers import SignalProducer
from producers.admission import Draft
from producers.receipts import Receipt
from worker import crash
from worker.errors import QueueUnavailable, QueueUnusable
from worker.settings import Settings

READY = "sending"
"""What it says once it does."""
_PAUSE = 0.2


class Journal:
    """One JSON object per line; a killed process leaves at most its last line unfinished."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(self, **entry: Any) -> None:
        # One write, straight to the kernel: it outlives the process.
        os.write(self._file, json.dumps({"at": time.time(), **entry}).encode() + b"\n")


def read_journal(path: Path) -> list[dict[str, Any]]:
    """The entries of a journal; empty if there is none."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    entries = []
    for line in lines:
        try:
            entries.append(json.loads(line))
        except ValueError:
            continue  # its writer was killed while writing
    return entries


class Sender:
    """Sends its own parcels of the stream until told to stop."""

    def __init__(self, producer: SignalProducer, journal: Journal, past: Sequence[dict[str, Any]]) -> None:
        self._producer = producer
        self._journal = journal
        self._last = past[-1] if past else {}
        self.stopping = threading.Event()

    @property
    def last_number(self) -> int:
        """Number of the last signal that the journal knows of."""
        return int(self._last.get("last", 0))

    def send(self, parcel: Parcel) -> None:
        """Send a parcel, again and again until there is an answer; without one its fate stays open."""
        number, attempt = parcel.items[-1].number, 1
        if number == self.last_number:
            if "told" in self._last:
                return
            attempt = int(self._last["try"]) + 1  # the process before this one never heard
        items = parcel.items
        while not self.stopping.is_set():
            if attempt > 1 and parcel.renames:
                items = tuple(item for item in items if item.claims)  # the others might be doubled
            if not items or self._told(parcel, items, attempt, last=number):
                return
            attempt += 1
            self.stopping.wait(_PAUSE)

    def _told(self, parcel: Parcel, items: Sequence[Item], attempt: int, *, last: int) -> bool:
        ids = [id_of(item.number, attempt if parcel.renames else 1) for item in items]
        drafts = [Draft(item.signal(log=id_), item.key, id=id_) for item, id_ in zip(items, ids, strict=True)]
        self._journal.note(last=last, ids=ids, **{"try": attempt})
        try:
            receipts = self._producer.admit(drafts, self._producer.terms(max_age=parcel.max_age))
        except (QueueUnavailable, QueueUnusable) as error:
            self._journal.note(last=last, ids=ids, failed=str(error), **{"try": attempt})
            return False
        self._journal.note(last=last, ids=ids, told=[_told(one) for one in receipts])
        return True


def _told(receipt: Receipt) -> tuple[str, str | None]:
    return receipt.status.value, receipt.first_id


def main() -> None:
    crash.arm_from(os.environ)
    order = json.loads(sys.argv[1])
    path = Path(order["journal"])
    settings = Settings(
        redis_url=order["url"],
        prefix=order["prefix"],
        entry_expiry=order["expiry"],
        tail_length=order["tail"],
        redis_timeout=1.0,
        redis_patience=2.0,
    )
    with SignalProducer(settings=settings) as producer:
        sender = Sender(producer, Journal(path), read_journal(path))
        signal.signal(signal.SIGTERM, lambda *_: sender.stopping.set())
        print(READY, flush=True)
        for parcel in traffic(order["seed"], order["senders"]):
            number = parcel.items[-1].number
            if parcel.sender != order["me"] or number < sender.last_number:
                continue
            if sender.stopping.wait(max(0.0, order["since"] + number / order["rate"] - time.monotonic())):
                return
            sender.send(parcel)


if __name__ == "__main__":
    main()
