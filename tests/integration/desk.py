"""A queue and the few words in which tests work with it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import redis

from demo.stack import eventually
from worker.lanes import Admission, Brakes, Head, Lanes, Outcome, Settlement, Timing

_ids = itertools.count(1)


def signal(connector: str = "acct", **fields: Any) -> Admission:
    number = next(_ids)
    basis = {
        "id": f"id{number}",
        "connector": connector,
        "action": "openLong",
        "action_class": "entry",
        "delay_ms": 0,
        "window_ms": 60_000,
        "fingerprint": "f",
        "body": f'{{"n":{number}}}',
    }
    return Admission(**{**basis, **fields})


class Desk:
    """What tests do with a queue, in few words."""

    def __init__(
        self,
        client: redis.Redis,
        prefix: str,
        timing: Timing,
        brakes: Brakes | None = None,
        rates: Mapping[str, tuple[float, int]] = MappingProxyType({}),
    ) -> None:
        self.client, self.prefix, self.timing = client, prefix, timing
        self.lanes = Lanes(client, prefix=prefix, timing=timing, brakes=brakes, rate_of=rates.get)
        self._tokens = itertools.count(1)

    def admit(self, *signals: Admission) -> list[str]:
        return [result.status for result in self.lanes.admit(signals).results]

    def head(self, lane: str = "acct") -> Head | None:
        heads = self.lanes.checkout([lane], f"token{next(self._tokens)}").heads
        return heads[0] if heads else None

    def settle(
        self, head: Head, outcome: Outcome = Outcome.ACCEPTED, *, more: bool = False
    ) -> tuple[str, Head | None]:
        return self.lanes.settle([Settlement(head, outcome, more=more)]).results[0]

    def record(self, signal_id: str) -> dict[str, str]:
        raw = self.client.hgetall(f"{self.prefix}signal:{signal_id}")
        return {name.decode(): value.decode() for name, value in raw.items()}

    def keys(self, kind: str) -> list[str]:
        return sorted(
            key.decode().removeprefix(self.prefix) for key in self.client.scan_iter(f"{self.prefix}{kind}*")
        )

    def redis_ms(self) -> int:
        seconds, micros = self.client.time()
        return seconds * 1000 + micros // 1000

    def until(self, at_ms: int) -> None:
        eventually(lambda: self.redis_ms() >= at_ms, within=10, what="the time comes", pause=0.002)

    def index_of(self, lane: str = "acct") -> set[str]:
        names = ("rung", "wakeups", "halted")
        return {name for name in names if self.client.zscore(f"{self.prefix}{name}", lane) is not None}
