"""Brings what falls due into its lane, and repairs what was lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from worker import crash
from worker.events import Observer
from worker.ports import Bell, Calendar
from worker.records import Held, WakeAnswer


class Waker:
    """What the countdown task and the sweep do. Each may happen twice, late or never."""

    def __init__(
        self, calendar: Calendar, bell: Bell, observer: Observer, take: Callable[[Sequence[str]], None]
    ) -> None:
        """``take``: works on lanes right here; for when nobody can be rung, as when Redis is full."""
        self._calendar = calendar
        self._bell = bell
        self._observer = observer
        self._take = take
        self._held = Held()

    def on_time(self, slot_ms: int) -> None:
        """A countdown for ``slot_ms`` (Redis clock) has run out.

        Raises QueueUnavailable if Redis is away; the sweep then does it later.
        """
        answer = self._finish(self._calendar.wake())
        if answer.now_ms < slot_ms:
            # This pod's clock runs ahead of Redis. Nobody else will arm the slot: it counts as armed.
            self._bell.wake([slot_ms], answer.now_ms)

    def sweep(self, interval: float) -> None:
        """Look after everything, unless another worker has within ``interval`` seconds."""
        self._finish(self._calendar.sweep(round(interval * 900)))

    def _finish(self, answer: WakeAnswer) -> WakeAnswer:
        self._follow_up(answer)
        while answer.more:
            answer = self._calendar.wake()
            self._follow_up(answer)
        return answer

    def _follow_up(self, answer: WakeAnswer) -> None:
        if answer.rings:
            crash.here("swept" if answer.leases_expired or answer.rings_lost else "woken")
        silent = self._bell.ring(answer.rings) if answer.rings else ()
        if silent:
            self._take(silent)
        if answer.slots_ms:
            self._bell.wake(answer.slots_ms, answer.now_ms)
        if answer.leases_expired or answer.rings_lost:
            self._observer.swept(leases_expired=answer.leases_expired, rings_lost=answer.rings_lost)
        for ended in answer.ended:
            self._observer.ended(ended)
        for change in answer.circuits:
            self._observer.circuit(change)
        if answer.held is not None and answer.held != self._held:
            self._held = answer.held
            self._observer.paused(answer.held)
