"""Stand-ins for the dispatcher's ports, in memory."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence

from worker.errors import QueueUnavailable
from worker.events import Observer
from worker.lanes import (
    CheckoutAnswer,
    CircuitChange,
    DeferAnswer,
    Deferral,
    Ended,
    Head,
    Held,
    Outcome,
    SettleAnswer,
    Settlement,
)
from worker.verdict import Attempt, Verdict


def make_head(lane: str = "a", number: int = 1, **fields: object) -> Head:
    basis: dict[str, object] = {
        "lane": lane,
        "id": f"{lane}-{number}",
        "token": "t",
        "body": "{}",
        "action": "openLong",
        "action_class": "entry",
        "attempt": 1,
        "unknowns": 0,
        "admitted_ms": 1000,
        "due_ms": 1000,
        "expires_ms": None,
        "orphan": False,
    }
    return Head(**{**basis, **fields})  # type: ignore[arg-type]


class FakeLanes:
    """Lanes as deques. ``failures``: how many calls fail before one gets through."""

    def __init__(self, *heads: Head) -> None:
        self.waiting: dict[str, deque[Head]] = defaultdict(deque)
        for head in heads:
            self.waiting[head.lane].append(head)
        self.settled: list[Settlement] = []
        self.deferred: list[Deferral] = []
        self.failures = 0
        self.now_ms = 1000

    def checkout(self, lanes: Iterable[str], token: str) -> CheckoutAnswer:
        self._maybe_fail()
        heads = tuple(self.waiting[lane][0] for lane in lanes if self.waiting[lane])
        return CheckoutAnswer(self.now_ms, heads=heads)

    def settle(self, batch: Sequence[Settlement]) -> SettleAnswer:
        self._maybe_fail()
        results: list[tuple[str, Head | None]] = []
        for item in batch:
            lane = self.waiting[item.head.lane]
            lane.popleft()
            self.settled.append(item)
            results.append(("done", lane[0] if item.more and lane else None))
        rings = tuple(item.head.lane for item in batch if not item.more and self.waiting[item.head.lane])
        ended = tuple(ended_of(item) for item in batch)
        return SettleAnswer(self.now_ms, rings=rings, ended=ended, results=tuple(results))

    def defer(self, batch: Sequence[Deferral]) -> DeferAnswer:
        self._maybe_fail()
        self.deferred += batch
        rings = tuple(item.head.lane for item in batch if item.delay_ms <= 0)
        slots = tuple(self.now_ms + item.delay_ms for item in batch if item.delay_ms > 0)
        return DeferAnswer(self.now_ms, rings=rings, slots_ms=slots, results=("done",) * len(batch))

    def _maybe_fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise QueueUnavailable("Redis does not answer: test")

    @property
    def outcomes(self) -> dict[str, Outcome]:
        return {item.head.id: item.outcome for item in self.settled}


def ended_of(item: Settlement) -> Ended:
    head = item.head
    return Ended(
        head.id,
        head.lane,
        head.action,
        head.action_class,
        item.outcome,
        item.why,
        head.attempt,
        1000,
        1000,
        1000,
    )


class FakePoster:
    """Answers what ``script`` says; remembers what was posted."""

    deadline = 10.0

    def __init__(self, script: Callable[[bytes], Attempt] | None = None) -> None:
        self._script = script or (lambda _body: Attempt(Verdict.ACCEPTED, "200", 0.001, status=200))
        self.posted: list[bytes] = []

    def post(self, body: bytes, *, may_begin: Callable[[], bool]) -> Attempt:
        if not may_begin():
            return Attempt(None, "withheld", 0.0)
        self.posted.append(body)
        return self._script(body)


class FakeBell:
    def __init__(self) -> None:
        self.rung: list[str] = []
        self.slots: list[int] = []

    def ring(self, lanes: Sequence[str]) -> Sequence[str]:
        self.rung += lanes
        return ()

    def wake(self, slots_ms: Sequence[int], now_ms: int) -> None:
        self.slots += slots_ms


class FakeObserver(Observer):
    """Remembers the names of what it was told, and the outcomes."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.outcomes: dict[str, Outcome] = {}
        self._lock = threading.Lock()

    def attempted(self, head: Head, attempt: Attempt, *, late: float) -> None:
        self._tell("attempted")

    def retried(self, head: Head, why: str, delay: float) -> None:
        self._tell("retried")

    def ended(self, ended: Ended) -> None:
        self._tell("ended")
        self.outcomes[ended.id] = ended.outcome

    def swept(self, *, leases_expired: int, rings_lost: int) -> None:
        self._tell(f"swept {leases_expired} {rings_lost}")

    def taken(self, *, waited: float) -> None:
        self._tell(f"taken {waited:g}")

    def circuit(self, change: CircuitChange) -> None:
        self._tell(f"circuit {change.endpoint} {'opened' if change.is_open else 'closed'}")

    def paused(self, held: Held) -> None:
        self._tell(f"paused {held.scopes}")

    def trouble(self, what: str, error: Exception) -> None:
        self._tell(f"trouble {what}")

    def _tell(self, what: str) -> None:
        with self._lock:
            self.told.append(what)
