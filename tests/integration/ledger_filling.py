"""Fills a ledger the way producers and workers do, through the queue's own interface."""

from __future__ import annotations

import itertools
import json
import uuid

import redis

from worker.lanes import Admission, Deferral, Head, Lanes, Outcome, Settlement

TOKEN = "tok-S3CRET-8f2e"
HOSTILE_NAMES = (
    "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "[red]x[/red] [/] [link=http://x]",
    "two\nlines\r\tand \u202ereversed\u2066",
    "🚀 moon 👨‍👩‍👧",
    "资" * 128,
    "\x9b31m :smile: \\[x",
    "*",
)


def note(number: int, verdict: str, why: str, at: int = 1_700_000_000_000) -> str:
    """A line of the attempt history, as a worker writes it."""
    return json.dumps({"attempt": number, "at": at, "ms": 10_012, "verdict": verdict, "why": why})


class Ledger:
    """One installation's ledger in few words."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self.client, self.prefix = client, prefix
        self.lanes = Lanes(client, prefix=prefix)
        self._tokens = itertools.count(1)

    def admission(self, connector: str = "acct", **fields: object) -> Admission:
        body = {
            "action": "openLong",
            "connectorName": connector,
            "connectorToken": TOKEN,
            "fixed": "0.0010",
            "log": f"copied {TOKEN} here",
            "clientOrderId": "order-7",
        }
        basis: dict[str, object] = {
            "id": uuid.uuid4().hex,
            "connector": connector,
            "action": "openLong",
            "action_class": "entry",
            "delay_ms": 0,
            "window_ms": 60_000,
            "fingerprint": "f",
            "body": json.dumps(body),
        }
        return Admission(**{**basis, **fields})  # type: ignore[arg-type]

    def admit(self, connector: str = "acct", **fields: object) -> str:
        one = self.admission(connector, **fields)
        self.lanes.admit([one])
        return one.id

    def head(self, connector: str = "acct") -> Head:
        (head,) = self.lanes.checkout([connector], f"token-{next(self._tokens)}").heads
        return head

    def end(
        self,
        outcome: Outcome = Outcome.ACCEPTED,
        connector: str = "acct",
        *,
        why: str = "200",
        history: str = "",
        **fields: object,
    ) -> str:
        """Admit a signal into an idle lane and give it its outcome; returns its id."""
        signal_id = self.admit(connector, **fields)
        head = self.head(connector)
        assert head.id == signal_id
        self.lanes.settle([Settlement(head, outcome, why, history)])
        return signal_id

    def retry(self, connector: str, delay_ms: int, *, unknown: bool = False) -> None:
        self.lanes.defer(
            [Deferral(self.head(connector), delay_ms, note(1, "unsent", "503"), unknown=unknown)]
        )

    def key(self, name: str) -> str:
        return self.prefix + name
