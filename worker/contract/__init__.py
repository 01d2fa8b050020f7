"""The signal contract: what a signal may say, and what goes out on the wire.

    bytes or dict ── parse ──▶ OrderSignal | PositionSyncSignal ──▶ wire (the POST body)
                       │                     ├──▶ stored, fingerprint, effective_delay_ms
                 InvalidSignal               └──▶ warnings

Pure: no I/O and no clock. The only exception that leaves `parse`, `parse_many`, `check` and `wire` is
`worker.errors.InvalidSignal`; its text never contains a connector token, nor does the ``repr`` of a signal.
"""

from __future__ import annotations

from worker.contract.advice import warnings
from worker.contract.delay import effective_delay_ms
from worker.contract.description import json_schema
from worker.contract.identity import fingerprint
from worker.contract.order import Action, OrderSignal
from worker.contract.parsing import Signal, parse, parse_many, split
from worker.contract.position import EntryOrder, Position, PositionSyncSignal, Side
from worker.contract.rules import DEFAULT_RULES, Market, Rules, check
from worker.contract.serial import sealed, stored, wire

__all__ = [
    "DEFAULT_RULES",
    "Action",
    "EntryOrder",
    "Market",
    "OrderSignal",
    "Position",
    "PositionSyncSignal",
    "Rules",
    "Side",
    "Signal",
    "check",
    "effective_delay_ms",
    "fingerprint",
    "json_schema",
    "parse",
    "parse_many",
    "sealed",
    "split",
    "stored",
    "warnings",
    "wire",
]
