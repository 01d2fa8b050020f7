"""The queue of users' tests: takes signals as Redis would, and posts them when they are due, to nobody.

It stands for a queue whose workers are always free and whose endpoint accepts everything.
``tests/integration/test_memory_contract.py`` holds it against the real one.
"""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import groupby
from weakref import WeakValueDictionary

from worker.errors import SettingsError
from worker.records import Admission, AdmitAnswer, Admitted

SCHEME = "memory://"
_NEVER_DROPPED = ("cancel", "cancelAll", "positionSync")


@dataclass(slots=True, eq=False)
class Entry:
    """A signal that was taken."""

    admission: Admission
    seq: int
    admitted_ms: int
    due_ms: int
    state: str = "delayed"
    """``delayed``, ``waiting``, ``accepted`` or ``cancelled``."""


@dataclass(frozen=True, slots=True)
class _Claim:
    entry: Entry
    window_ms: int

    def holds(self, now_ms: int) -> bool:
        entry = self.entry
        if entry.state == "accepted":
            return now_ms <= entry.admitted_ms + self.window_ms
        return entry.state != "cancelled"


class Books:
    """What was taken and what became of it, by a clock that others turn. Plain data, fit to be copied."""

    def __init__(self, lane_limit: int) -> None:
        self.posted: list[Entry] = []
        self._lane_limit = lane_limit
        self._entries: dict[str, Entry] = {}
        self._lanes: defaultdict[str, list[Entry]] = defaultdict(list)
        """What is delayed or waiting, by connector, in the order of admission."""
        self._waiting: list[Entry] = []
        self._claims: dict[tuple[str, str, str], _Claim] = {}

    def admit(self, batch: Sequence[Admission], now_ms: int, *, in_order: bool) -> list[Admitted]:
        """Take signals in, all in the same moment, and post those that are due."""
        self.let_pass(now_ms)
        results = [self._admit(item, now_ms, in_order=in_order) for item in batch]
        self._post()
        return results

    def let_pass(self, until_ms: float) -> None:
        """Post what falls due until then, moment by moment."""
        due = [entry for lane in self._lanes.values() for entry in lane if entry.due_ms <= until_ms]
        due.sort(key=lambda entry: (entry.due_ms, entry.seq))
        for _, moment in groupby(due, key=lambda entry: entry.due_ms):
            for entry in moment:
                if entry.state == "delayed":  # one before it may have dropped it
                    self._join(entry)
            self._post()

    def _admit(self, item: Admission, now_ms: int, *, in_order: bool) -> Admitted:
        if item.id in self._entries:
            return Admitted("accepted")
        found = (self._claims.get(name) for name, _ in _claims(item))
        held = next((claim.entry for claim in found if claim and claim.holds(now_ms)), None)
        if held is not None:
            same = held.admission.fingerprint == item.fingerprint
            return Admitted("duplicate" if same else "conflict", held.admission.id, held.state)
        lane = self._lanes[item.connector]
        if self._is_full(item, len(lane), in_order=in_order):
            return Admitted("full")
        entry = Entry(item, len(self._entries), now_ms, now_ms + item.delay_ms)
        self._entries[item.id] = entry
        for name, window_ms in _claims(item):
            self._claims[name] = _Claim(entry, window_ms)
        lane.append(entry)
        if item.delay_ms == 0:
            self._join(entry)
        return Admitted("accepted")

    def _is_full(self, item: Admission, waiting: int, *, in_order: bool) -> bool:
        most = self._lane_limit
        spare = most if item.action_class == "cancel" else math.ceil(most / 10)
        if in_order or item.action_class == "entry":
            spare = 0
        return most > 0 and waiting >= most + spare

    def _join(self, entry: Entry) -> None:
        for pointless in list(self._superseded(entry)):
            pointless.state = "cancelled"
            self._lanes[pointless.admission.connector].remove(pointless)
        entry.state = "waiting"
        self._waiting.append(entry)

    def _superseded(self, by: Entry) -> Iterator[Entry]:
        """What waits and is pointless from now on; as ``supersede`` in ``worker/lanes/lua/lanes.lua``."""
        item = by.admission
        if item.drops == "order":
            claim = self._claims.get(("order", item.connector, item.target or ""))
            if claim and claim.entry.state in ("delayed", "waiting"):
                yield claim.entry
            return
        for entry in self._lanes[item.connector] if item.drops else ():
            action = entry.admission.action
            is_meant = entry.state == "delayed" and action == item.drops
            if item.drops == "all":
                is_meant = action not in _NEVER_DROPPED
            if is_meant and entry.seq < by.seq:
                yield entry

    def _post(self) -> None:
        for entry in self._waiting:
            if entry.state == "waiting":
                entry.state = "accepted"
                self._lanes[entry.admission.connector].remove(entry)
                self.posted.append(entry)
        self._waiting.clear()


def _claims(item: Admission) -> Iterator[tuple[tuple[str, str, str], int]]:
    """The names a signal is known by, and for how long."""
    if item.order_id is not None:
        yield ("order", item.connector, item.order_id), item.window_ms
    if item.idempotency_key is not None:
        window = item.window_ms if item.key_window_ms is None else item.key_window_ms
        yield ("key", item.connector, item.idempotency_key), window


class MemoryQueue:
    """``Books`` behind a lock and with a clock."""

    def __init__(self, clock: Callable[[], float], lane_limit: int = 0) -> None:
        """``clock``: seconds; only differences count. ``lane_limit``: see ``worker.lanes.Timing``."""
        self._clock = clock
        self._lane_limit = lane_limit
        self._lock = threading.Lock()
        self.clear()

    def admit(self, batch: Sequence[Admission], *, in_order: bool) -> AdmitAnswer:
        """As ``worker.lanes.Lanes.admit``; there is nobody to be rung."""
        with self._lock:
            now_ms = math.floor(self._clock() * 1000)
            results = self._books.admit(batch, now_ms, in_order=in_order)
        return AdmitAnswer(now_ms=now_ms, results=tuple(results))

    def posted(self) -> list[Entry]:
        """What was posted and what will be if nothing else is sent, in that order."""
        with self._lock:
            future = deepcopy(self._books)
        future.let_pass(math.inf)
        return future.posted

    def clear(self) -> None:
        """Forget all of it."""
        with self._lock:
            self._books = Books(self._lane_limit)


class Silence:
    """The bell of a queue without workers."""

    def ring(self, lanes: Sequence[str]) -> Sequence[str]:  # noqa: ARG002
        """There is nobody to be told."""
        return ()

    def wake(self, slots_ms: Sequence[int], now_ms: int) -> None:
        """Nor later."""


_queues: WeakValueDictionary[str, MemoryQueue] = WeakValueDictionary()


def publish(url: str, queue: MemoryQueue) -> None:
    """Let producers of this process find the queue under its URL, in place of any other."""
    _queues[url] = queue


def withdraw(url: str, queue: MemoryQueue) -> None:
    """Let nobody find this queue any more."""
    if _queues.get(url) is queue:
        del _queues[url]


def find(url: str) -> MemoryQueue:
    """The queue that a test has opened under this URL.

    Raises SettingsError if none has: orders that nobody looks at would be lost.
    """
    queue = _queues.get(url)
    if queue is None:
        raise SettingsError(
            f"SIGNALS_REDIS_URL: {SCHEME} is for tests only, and nobody has opened"
            f' MemoryProducer("{url}") in this process'
        )
    return queue
