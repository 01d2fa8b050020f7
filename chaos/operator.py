"""A person who now and then holds signals back, or drops some, while the storm blows."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from chaos.history import Drop, Limits, Pause
from chaos.launch import PREFIX, TAIL
from worker.errors import SignalsError
from worker.lanes import Lanes, Timing
from worker.lanes.pauses import BY_PERSON, scopes
from worker.lanes.redis import connect, translated

_EVERY = (2.0, 6.0)
_LASTS = (0.3, 2.5)
_AT_ONCE = 5
"""Signals of one place of an account that are dropped together."""
_PATIENCE = 60.0
"""Seconds for which a command is repeated, whatever happens to the server."""


class Operator:
    """Pauses all, entries or one account, and drops what waits, in a thread of its own.

    ``pauses``, ``drops``: what it did.
    """

    def __init__(self, url: str, seed: int, connectors: Sequence[str], limits: Limits) -> None:
        self.pauses: list[Pause] = []
        self.drops: list[Drop] = []
        self._chance = random.Random(f"operator/{seed}")
        self._connectors = connectors
        self._limits = limits
        self._client = connect(url, timeout=1.0)
        self._lanes = Lanes(
            self._client,
            prefix=PREFIX,
            timing=Timing(lease_ms=round(limits.lease * 1000), stream_length=TAIL),
            patience=_PATIENCE,
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="operator", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let everything go on, and go home."""
        self._stopping.set()
        self._thread.join(2 * _PATIENCE)
        self._client.close()

    def _run(self) -> None:
        while not self._stopping.wait(self._chance.uniform(*_EVERY)):
            who = self._chance.choice([None, None, self._chance.choice(self._connectors)])
            wanted = scopes([who] if who else [], entries_only=self._chance.random() < 0.5)
            self._hold(wanted, self._chance.uniform(*_LASTS))
            for connector in self._chance.sample(self._connectors, len(self._connectors) // 4):
                self._drop(self._waiting(connector))

    def _hold(self, wanted: list[str], seconds: float) -> None:
        asked = time.time()
        returned = self._pause(wanted)
        self._stopping.wait(seconds)
        released = time.time()
        self._insist(lambda: self._lanes.resume(wanted, label=BY_PERSON, by="chaos"))
        # A command that gave up promises nothing, but what it asked for may have been in force.
        self.pauses.append(Pause(wanted[0], asked, returned or released, released, time.time()))

    def _pause(self, wanted: list[str]) -> float | None:
        """When the command returned; None if it gave up, which promises nothing."""
        end = time.monotonic() + self._limits.lease + 1.0
        with suppress(SignalsError):
            while self._lanes.pause(wanted, label=BY_PERSON, by="chaos").in_flight:
                if time.monotonic() > end:
                    return None
                time.sleep(0.02)
            return time.time()
        return None

    def _waiting(self, connector: str) -> list[str]:
        """Some entries and partial exits, due or delayed: dropping them leaves all others as they are."""
        with suppress(SignalsError), translated():
            due = self._client.lrange(f"{PREFIX}lane:{connector}", 0, _AT_ONCE - 1)
            later = self._client.zrange(f"{PREFIX}later:{connector}", 0, _AT_ONCE - 1)
            ids = [raw.decode().rpartition(" ")[2] for raw in (*due, *later)]
            kinds = [self._client.hget(f"{PREFIX}signal:{one}", "class") for one in ids]
            return [one for one, kind in zip(ids, kinds, strict=True) if kind in (b"entry", b"partial")]
        return []

    def _drop(self, ids: list[str]) -> None:
        if not ids:
            return
        asked = time.time()
        statuses: Sequence[str | None] = [None] * len(ids)
        with suppress(SignalsError):
            statuses = self._lanes.drop(ids, by="operator").results
        returned = time.time()
        self.drops += [Drop(one, asked, returned, status) for one, status in zip(ids, statuses, strict=True)]

    def _insist(self, act: Callable[[], object]) -> None:
        """A run in which something stays paused would never end."""
        while True:
            with suppress(SignalsError):
                act()
                return
