"""The library's face: send signals, get receipts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Self, overload

from producers import memory
from producers.admission import Draft, Source, Terms, checked_seconds, prepare
from producers.errors import cut_short
from producers.inputs import Keys, Many, S, Text, drafts_of
from producers.receipts import Receipt
from producers.sending import Queue, Sending
from worker.accounts import LiveAccounts, follow_accounts
from worker.contract import Signal
from worker.errors import QueueUnavailable, QueueUnusable
from worker.lanes import Lanes
from worker.lanes.redis import connect
from worker.ports import WrittenBell
from worker.settings import Settings, load_settings
from worker.tracing import reader_of_traces
from worker.vault import open_vault

if TYPE_CHECKING:
    from celery import Celery
    from redis import Redis

    from worker.ports import Bell

CALL = 200
"""Signals per call to Redis: few enough not to hold it up, enough to make the round trip cheap."""
BATCH = 500
"""Signals that may be sent together, all or none."""


class SignalProducer:
    """Validates signals and puts them on the queue. Safe to share between threads; one per process.

    No connection is opened before the first ``send``. Use it as a context manager, or call ``close``.
    """

    def __init__(
        self,
        redis_url: str | None = None,
        *,
        settings: Settings | None = None,
        queue: Queue | None = None,
        bell: Bell | None = None,
        accounts: LiveAccounts | None = None,
    ) -> None:
        """``redis_url`` overrides the one of ``settings``, which default to the SIGNALS_… environment.

        A URL of ``memory://`` leads to the MemoryProducer that a test has opened under it. ``queue`` and
        ``bell`` replace Redis and Celery. ``accounts`` are shared with whoever else in this process follows
        that file. Raises SettingsError.
        """
        settings = settings or load_settings(**({"redis_url": redis_url} if redis_url else {}))
        url = redis_url or settings.redis_url
        self._settings = settings
        self._closed = False
        if url.startswith(memory.SCHEME):
            queue, bell = queue or memory.find(url), bell or memory.Silence()
        self._trace = reader_of_traces() if settings.tracing else _no_trace
        self._accounts = accounts or follow_accounts(settings.accounts_file)
        self._vault = open_vault(settings.token_keys_file)
        self._app: Celery | None = None
        if bell is None:
            from worker.rings import CeleryBell, make_app  # Celery takes half a second to import

            self._app = make_app(
                url, settings.prefix, horizon=settings.horizon, timeout=settings.redis_timeout
            )
            bell = CeleryBell(self._app)
        self._bell = bell
        self._client: Redis | None = None
        if queue is None:
            self._client = connect(url, timeout=settings.redis_timeout)
            queue = Lanes(
                self._client,
                prefix=settings.prefix,
                timing=settings.timing(),
                patience=settings.redis_patience,
                durability=settings.required_durability(),
                ring=bell.message if isinstance(bell, WrittenBell) else lambda: None,
            )
        self._queue = queue

    @overload
    def send(
        self,
        signal: Mapping[str, object] | Signal,
        *,
        idempotency_key: str | None = None,
        max_age: float | None = None,
        dedup_window: float | None = None,
    ) -> Receipt: ...

    @overload
    def send(
        self,
        signal: Many[S],
        *,
        idempotency_key: Sequence[str | None] | None = None,
        max_age: float | None = None,
        dedup_window: float | None = None,
    ) -> list[Receipt]: ...

    @overload
    def send(
        self,
        signal: Text,
        *,
        idempotency_key: Keys = None,
        max_age: float | None = None,
        dedup_window: float | None = None,
    ) -> Receipt | list[Receipt]: ...

    def send(
        self,
        signal: Source | Many[S],
        *,
        idempotency_key: Keys = None,
        max_age: float | None = None,
        dedup_window: float | None = None,
    ) -> Receipt | list[Receipt]:
        """Put one signal or many on the queue.

        One is a mapping, a parsed signal, or a JSON object as text or bytes; it gives one receipt. Many is a
        list, a tuple or an iterator of these (read as it goes, 200 at a time), or a JSON array or JSON lines
        as text or bytes; it gives a list of receipts in the same order. A bad signal gets an ``invalid``
        receipt and stops nobody. In a list or a text a signal may name a ``group`` of the accounts file in
        place of ``connectorName``: it becomes one signal for each member, each with its receipt.

        ``idempotency_key``: the sender's own name for the signal, per connector; with many signals a
        sequence of as many names (None: without), because one name for all would make duplicates of them;
        a bad name among these gives an ``invalid`` receipt.
        ``max_age``: seconds after its due time that a signal may still be posted; default: the policy's.
        ``dedup_window``: seconds that ids are remembered; default: SIGNALS_DEDUP_WINDOW.

        Raises InvalidSignal, with nothing sent, when an argument beside the signals is bad; Interrupted
        (as QueueUnavailable or QueueUnusable) when Redis fails: it carries the receipts that are certain,
        and is a NotSent too if nothing was taken for certain.
        What an iterator itself raises passes through; the full batches before it have then been sent.

        A call whose answer is lost is repeated for SIGNALS_REDIS_PATIENCE under the same internal ids, which
        enqueues nothing twice. Once it has raised, only a clientOrderId or idempotency key tells what was
        taken already.

        >>> from producers import MemoryProducer
        >>> producer = MemoryProducer()  # takes the place of a SignalProducer in tests
        >>> order = {"connectorName": "a", "connectorToken": "t", "action": "openLong", "fixed": "0.5"}
        >>> [str(receipt.status) for receipt in producer.send([order, {**order, "fixd": "0.5"}])]
        ['accepted', 'invalid']
        >>> [str(producer.send(order, idempotency_key="42").status) for _ in range(2)]
        ['accepted', 'duplicate']
        """
        terms = self.terms(max_age=max_age, dedup_window=dedup_window)
        drafts = drafts_of(signal, idempotency_key, terms.accounts and terms.accounts())
        if isinstance(drafts, Draft):
            return self._all([[drafts]], terms, at_hand=False)[0]
        batches = iter(lambda: list(islice(drafts, CALL)), [])
        return self._all(batches, terms, at_hand=not isinstance(signal, Iterator))

    def terms(
        self, *, max_age: float | None = None, dedup_window: float | None = None, in_order: bool = False
    ) -> Terms:
        """What holds for a call with these arguments; see ``Terms``. Raises InvalidSignal for bad ones."""
        settings = self._settings
        return Terms(
            rules=settings.rules(),
            policy=settings.policy(),
            window=checked_seconds("dedup_window", dedup_window) or settings.dedup_window,
            # Who sends in order may send again, and must know how long that is safe.
            window_fixed=dedup_window is not None or in_order,
            max_age=checked_seconds("max_age", max_age),
            needs_token=True,
            accounts=None if self._accounts is None else self._accounts.current,
            seal=None if self._vault is None else self._vault.seal,
            in_order=in_order,
            trace=self._trace(),
            platform_delays=settings.platform_delays,
        )

    def in_trace(self, terms: Terms) -> Terms:
        """The same terms in the trace that the caller is in now, for callers who keep terms."""
        trace = self._trace()
        return terms if trace == terms.trace else replace(terms, trace=trace)

    def admit(self, drafts: Sequence[Draft], terms: Terms) -> list[Receipt]:
        """Send one batch, for callers who choose ids and batches themselves (at most ``BATCH`` at a time).

        Sending the same drafts again is safe while their ids are remembered. Raises QueueUnavailable or
        QueueUnusable; the batch may then have been taken all the same.
        """
        return self.ready(drafts, terms)()

    def admit_each(self, wishes: Sequence[tuple[Draft, Terms]]) -> list[Receipt]:
        """As ``admit``, for drafts of several callers in one batch; ``Terms.in_order`` is not for these."""
        return self._ready(wishes, in_order=False)()

    def ready(self, drafts: Sequence[Draft], terms: Terms) -> Sending:
        """The first half of ``admit``: check a batch now, and send it when the answer is called, or begun.

        So the next batch can be checked while Redis takes this one.
        """
        return self._ready([(draft, terms) for draft in drafts], in_order=terms.in_order)

    def close(self) -> None:
        """Give the connections back. Calling it again does nothing; sending afterwards is an error."""
        self._closed = True
        if self._client is not None:
            self._client.close()
        if self._app is not None:
            self._app.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _all(self, batches: Iterable[list[Draft]], terms: Terms, *, at_hand: bool) -> list[Receipt]:
        """``at_hand``: the next batch need not be waited for, and is checked while Redis takes this one."""
        receipts: list[Receipt] = []
        under_way: list[Sending] = []  # one at most, so that they are taken in their order

        def end() -> None:
            while under_way:
                receipts.extend(under_way.pop().end())

        try:
            try:
                for batch in batches:
                    sending = self._ready([(draft, terms) for draft in batch], in_order=terms.in_order)
                    end()
                    sending.begin()
                    under_way.append(sending)
                    if not at_hand:
                        end()
            except Exception:
                end()  # what a caller hears of a bad batch must not hide what became of the one before it
                raise
            end()
        except (QueueUnavailable, QueueUnusable) as error:
            raise cut_short(error, receipts) from error
        finally:
            for left in under_way:
                left.drop()
        return receipts

    def _ready(self, wishes: Sequence[tuple[Draft, Terms]], *, in_order: bool) -> Sending:
        if self._closed:
            raise RuntimeError("this SignalProducer is closed: make a new one")
        prepared = [prepare(draft, terms) for draft, terms in wishes]
        return Sending(prepared, self._queue, self._bell, in_order=in_order)


def _no_trace() -> None:
    return None
