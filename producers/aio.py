"""Sending from asyncio: many tasks share round trips, in the order in which they called.

>>> from producers import AsyncSignalProducer, MemoryProducer
>>> close = {"connectorName": "alpha", "connectorToken": "YOUR_TOKEN", "action": "closeLong"}
>>> async def main():
...     with MemoryProducer() as memory:  # instead of Redis
...         async with AsyncSignalProducer(memory) as producer:
...             many = producer.send([close, {"action": "buy"}])
...             one, others = await asyncio.gather(producer.send(close), many)
...     return [receipt.status.value for receipt in [one, *others]]
>>> asyncio.run(main())
['accepted', 'accepted', 'invalid']

One thread takes all drafts that have come in meanwhile as one batch, has them admitted, and answers. A second
thread could overtake the first; with one, first called is first admitted.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, TypeAlias

from producers.admission import Draft, Source, Terms
from producers.errors import Busy, NotSent, interrupted
from producers.inputs import Keys, Many, S, drafts_of
from producers.producer import BATCH, CALL, SignalProducer
from producers.receipts import Receipt
from worker.clock import steady
from worker.errors import QueueUnavailable, QueueUnreached, QueueUnusable, SignalsError

PATIENCE = 10.0
"""Seconds that a ``send`` waits for its receipts."""
MOST_WAITING = 10_000
"""Signals that may wait for the admission thread."""
CROWD = 4
"""Calls in one batch from which on the next batch is given time to gather."""
GATHER = 0.004
"""Seconds from the start of such a batch to the start of the next: a batch costs as much as many signals."""

Wish: TypeAlias = tuple[Draft, Terms]
"""A draft, and what holds for it."""


class Admitter(Protocol):
    """The part of ``SignalProducer`` that the admission thread needs."""

    def admit_each(self, wishes: Sequence[Wish]) -> list[Receipt]: ...


@dataclass(slots=True, eq=False)
class _Work:
    """Drafts of one call that are admitted together, and who waits for their receipts."""

    wishes: Sequence[Wish]
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[list[Receipt]]
    call: Sequence[_Work] = ()
    """All works of the same call, this one too."""
    begun: bool = False
    """The admission thread has it: whether it is taken can only be known from its answer."""


class AsyncSignalProducer:
    """Validates signals and puts them on the queue, for asyncio. One per process; usable from any loop.

    Give it a ``SignalProducer`` to share its settings and connections (it is then yours to close), or none
    to have one made from the SIGNALS_… environment::

        async with AsyncSignalProducer() as producer:
            receipts = await asyncio.gather(*(producer.send(signal) for signal in signals))

    A task that is cancelled while it waits in ``send`` loses its receipts and nothing else: what the
    admission thread had begun goes on, and what it had not is taken back. So after a cancelled ``send`` the
    signals may have been taken or not; sending again is safe with the same clientOrderId or idempotency key.
    """

    def __init__(
        self,
        producer: SignalProducer | None = None,
        *,
        patience: float = PATIENCE,
        most_waiting: int = MOST_WAITING,
        before: Callable[[], None] | None = None,
    ) -> None:
        """``patience``: seconds that ``send`` waits for its receipts.

        ``most_waiting``: signals that may wait for their turn; beyond, ``send`` raises Busy at once. The
        more, the more memory, and the longer the last of them waits. ``before`` is called by the admission
        thread before each batch; it must not raise. Raises SettingsError.
        """
        self._own = producer is None
        self.producer = producer or SignalProducer()
        self._patience = patience
        self._hall = _Hall(self.producer, most_waiting, before or _nothing)

    @property
    def waiting(self) -> int:
        """Signals that wait for the admission thread."""
        return self._hall.waiting

    @property
    def alive(self) -> bool:
        """Whether the admission thread works, or has not been needed yet."""
        return self._hall.alive

    async def send(
        self,
        signal: Source | Many[S] | str | bytes,
        *,
        idempotency_key: Keys = None,
        max_age: float | None = None,
        dedup_window: float | None = None,
    ) -> Receipt | list[Receipt]:
        """Put one signal or many on the queue; arguments and receipts as of ``SignalProducer.send``.

        An iterator is read to its end first. Signals of one call stay together, and calls are admitted in the
        order in which they were made.

        Raises InvalidSignal, with nothing sent, when an argument beside the signals is bad; NotSent when it
        is certain that nothing was taken (Busy: too many wait); Interrupted when it is not, as
        QueueUnavailable or QueueUnusable: it carries the receipts that are certain, and sending the others
        again is safe only with the same clientOrderId or idempotency key.
        """
        terms = self.producer.terms(max_age=max_age, dedup_window=dedup_window)
        drafts = drafts_of(signal, idempotency_key, terms.accounts and terms.accounts())
        if isinstance(drafts, Draft):
            return (await self.admit([(drafts, terms)]))[0]
        return await self.admit([(draft, terms) for draft in drafts])

    async def admit(self, wishes: Sequence[Wish], *, patience: float | None = None) -> list[Receipt]:
        """Send drafts, each with its own terms, for callers who choose ids; one receipt each, in order.

        ``patience`` overrides the one of this producer. Raises what ``send`` raises.
        """
        loop = asyncio.get_running_loop()
        works = [
            _Work(wishes[start : start + BATCH], loop, loop.create_future())
            for start in range(0, len(wishes), BATCH)
        ]
        for work in works:
            work.call = works
        self._hall.enter(works)
        receipts: list[Receipt] = []
        # By hand: asyncio.timeout costs half of what else is done here.
        timer = loop.call_later(self._patience if patience is None else patience, _end_waiting, works)
        try:
            for work in works:
                receipts += await work.answer
        except _TooLateError:
            raise self._too_late(works, receipts) from None
        except (QueueUnavailable, QueueUnusable) as error:
            begun = len(works) - len(self._hall.withdraw(works))
            raise _cut_short(error, receipts, alone=begun == 1) from error
        except asyncio.CancelledError:
            self._hall.withdraw(works)
            raise
        finally:
            timer.cancel()
            _listen_no_more(works)
        return receipts

    async def close(self, within: float = 5.0) -> None:
        """Let what waits be admitted for so many seconds; tell what is left then that it was not sent.

        Calling it again does nothing; sending afterwards raises NotSent.
        """
        await asyncio.to_thread(self._hall.close, within)
        if self._own:
            await asyncio.to_thread(self.producer.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _too_late(self, works: Sequence[_Work], receipts: list[Receipt]) -> SignalsError:
        withdrawn = self._hall.withdraw(works)
        if len(withdrawn) == len(works):
            return NotSent("nothing was sent: its turn did not come in time; try again")
        return interrupted(QueueUnavailable("no receipt came in time"), receipts)


class _Hall:
    """Where works wait for the admission thread. Its lock is held for moments only."""

    def __init__(self, admitter: Admitter, most: int, before: Callable[[], None]) -> None:
        self._admitter = admitter
        self._before = before
        self._most = most
        self._changed = threading.Condition()
        self._works: deque[_Work] = deque()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._next_at = steady()
        """When the next batch may begin."""
        self.waiting = 0

    @property
    def alive(self) -> bool:
        return self._thread is None or self._thread.is_alive()

    def enter(self, works: Sequence[_Work]) -> None:
        """Queue the works of one call, behind those of earlier calls. Raises NotSent."""
        count = sum(len(work.wishes) for work in works)
        with self._changed:
            if self._closing:
                raise NotSent("nothing was sent: this AsyncSignalProducer is closed")
            # A call that is larger than the hall may enter an empty one, or it never could.
            if self.waiting and self.waiting + count > self._most:
                raise Busy(f"nothing was sent: {self.waiting} signals wait already; try again in a moment")
            self._works.extend(works)
            self.waiting += count
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="admission", daemon=True)
                self._thread.start()
            self._changed.notify()

    def withdraw(self, works: Iterable[_Work]) -> list[_Work]:
        """Take back what has not begun, and say which."""
        with self._changed:
            left = [work for work in works if not work.begun]
            for work in left:
                with suppress(ValueError):
                    self._works.remove(work)
                    self.waiting -= len(work.wishes)
        return left

    def close(self, within: float) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(within)
        left = self.withdraw(list(self._works))
        _tell(left, NotSent("nothing was sent: the producer was closed before its turn came"))

    def _run(self) -> None:
        while works := self._next():
            self._admit(works)

    def _next(self) -> list[_Work]:
        """Whole works of at most ``CALL`` drafts together, or a larger one alone; none once all is over."""
        while True:
            with self._changed:
                while not self._works and not self._closing:
                    self._changed.wait()
                if not self._works:
                    return []
            # Not by waiting for the lock: each call that comes in would wake this thread.
            time.sleep(max(0.0, self._next_at - steady()))
            began = steady()
            if taken := self._take():  # all may have been withdrawn meanwhile
                self._next_at = began + GATHER if len(taken) >= CROWD else began
                return taken

    def _take(self) -> list[_Work]:
        taken: list[_Work] = []
        with self._changed:
            room = CALL
            while self._works and (not taken or len(self._works[0].wishes) <= room):
                work = self._works.popleft()
                work.begun = True
                room -= len(work.wishes)
                taken.append(work)
            self.waiting -= CALL - room
        return taken

    def _admit(self, works: list[_Work]) -> None:
        wishes = [wish for work in works for wish in work.wishes]
        try:
            self._before()
            receipts = iter(self._admitter.admit_each(wishes))
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            # What follows of the same calls shall not go out, or nobody could say what of them has.
            self.withdraw([other for work in works for other in work.call])
            _tell(works, error)
            return
        parts = [[next(receipts) for _ in work.wishes] for work in works]
        _answer(works, lambda place: works[place].answer.set_result(parts[place]))


def _nothing() -> None:
    """Before a batch there is nothing else to do."""


class _TooLateError(Exception):
    """Its caller does not wait for an answer any more."""


def _end_waiting(works: Sequence[_Work]) -> None:
    for work in works:
        if not work.answer.done():
            work.answer.set_exception(_TooLateError())


def _listen_no_more(works: Sequence[_Work]) -> None:
    """Nobody waits for what is left: it must not complain of answers that were never looked at."""
    for work in works:
        if not work.answer.cancel() and not work.answer.cancelled():
            work.answer.exception()


def _tell(works: Sequence[_Work], error: Exception) -> None:
    _answer(works, lambda place: works[place].answer.set_exception(error))


def _answer(works: Sequence[_Work], give: Callable[[int], None]) -> None:
    """Have each loop give its own answers, in one call per loop."""

    def give_all(places: list[int]) -> None:
        for place in places:
            if not works[place].answer.done():  # cancelled, or told that it took too long
                give(place)

    loops: dict[asyncio.AbstractEventLoop, list[int]] = {}
    for place, work in enumerate(works):
        loops.setdefault(work.loop, []).append(place)
    for loop, places in loops.items():
        with suppress(RuntimeError):  # a loop that was closed has nobody left who waits
            loop.call_soon_threadsafe(give_all, places)


def _cut_short(
    error: QueueUnavailable | QueueUnusable, receipts: list[Receipt], *, alone: bool
) -> SignalsError:
    """``alone``: nothing else of the call has begun."""
    if isinstance(error, NotSent) and not receipts:
        return error
    if isinstance(error, QueueUnreached) and not receipts and alone:
        return NotSent(f"nothing was sent: {error}")
    return interrupted(error, receipts)
