"""Lanes, calendar and ledger in Redis: what waits, who works on it, how it ended."""

from worker.lanes.durability import Durability
from worker.lanes.queue import Lanes
from worker.records import (
    Admission,
    AdmitAnswer,
    Admitted,
    Answer,
    Brakes,
    Census,
    CheckoutAnswer,
    DeferAnswer,
    Deferral,
    DropAnswer,
    Ended,
    Head,
    Outcome,
    PauseAnswer,
    SettleAnswer,
    Settlement,
    Timing,
    WakeAnswer,
)

__all__ = [
    "Admission",
    "AdmitAnswer",
    "Admitted",
    "Answer",
    "Brakes",
    "Census",
    "CheckoutAnswer",
    "DeferAnswer",
    "Deferral",
    "DropAnswer",
    "Durability",
    "Ended",
    "Head",
    "Lanes",
    "Outcome",
    "PauseAnswer",
    "SettleAnswer",
    "Settlement",
    "Timing",
    "WakeAnswer",
]
