"""A person who holds signals back now and then, and lets them go on, while the storm blows."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from chaos.history import Limits, Pause
from chaos.launch import PREFIX
from worker.errors import SignalsError
from worker.lanes import Lanes, Timing
from worker.lanes.pauses import BY_PERSON, scopes
from worker.lanes.redis import connect

_EVERY = (2.0, 6.0)
_LASTS = (0.3, 2.5)
_PATIENCE = 60.0
"""Seconds for which a command is repeated, whatever happens to the server."""


class Operator:
    """Pauses all, entries or one account, in a thread of its own. ``pauses``: what it did."""

    def __init__(self, url: str, seed: int, connectors: Sequence[str], limits: Limits) -> None:
        self.pauses: list[Pause] = []
        self._chance = random.Random(f"operator/{seed}")
        self._connectors = connectors
        self._limits = limits
        self._client = connect(url, timeout=1.0)
        self._lanes = Lanes(
            self._client,
            prefix=PREFIX,
            timing=Timing(lease_ms=round(limits.lease * 1000)),
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

    def _insist(self, act: Callable[[], object]) -> None:
        """A run in which something stays paused would never end."""
        while True:
            with suppress(SignalsError):
                act()
                return
