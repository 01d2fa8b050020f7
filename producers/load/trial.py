"""What loading a file would do, without Redis: nothing is sent and nothing written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from producers.admission import Draft, Prepared, Terms, prepare
from producers.load.lines import Place
from producers.load.members import fanout
from producers.load.rejects import Reject
from producers.load.rows import Row
from producers.load.source import FORMATS, opened, require_text
from producers.load.work import Watcher
from worker.errors import InvalidSignal
from worker.records import Admission


@dataclass(slots=True)
class Account:
    """What a file holds for one connector."""

    signals: int = 0
    delayed: int = 0
    longest_delay_ms: int = 0
    repeated: int = 0
    """Signals whose clientOrderId stands in the file before."""
    by_class: dict[str, int] = field(default_factory=dict)
    """How many are entries, partial or full exits, cancels."""


@dataclass(slots=True)
class Trial:
    """What was found. Memory grows with the number of connectors, and by some 200 bytes per clientOrderId."""

    lines: int = 0
    invalid: int = 0
    warned: int = 0
    duplicates: int = 0
    """The same signal under the same clientOrderId once more: it would not be posted again."""
    conflicts: int = 0
    """Another signal under a clientOrderId that stands before: it would be refused."""
    dropping: int = 0
    """Cancels and closes that would drop signals which still wait."""
    accounts: dict[str, Account] = field(default_factory=dict)
    _ids: dict[bytes, tuple[int, str]] = field(default_factory=dict)

    @property
    def refused(self) -> int:
        """How many would be set aside."""
        return self.invalid + self.conflicts

    @property
    def signals(self) -> int:
        return self.invalid + sum(account.signals for account in self.accounts.values())

    def take(self, admission: Admission, line: int) -> str:
        """Count one valid signal; why it would be refused, or nothing."""
        account = self.accounts.setdefault(admission.connector, Account())
        account.signals += 1
        kind = admission.action_class
        account.by_class[kind] = account.by_class.get(kind, 0) + 1
        account.delayed += admission.delay_ms > 0
        account.longest_delay_ms = max(account.longest_delay_ms, admission.delay_ms)
        self.dropping += admission.drops is not None
        if admission.order_id is None:
            return ""
        name = hashlib.blake2b(
            f"{admission.connector}\0{admission.order_id}".encode(), digest_size=16
        ).digest()
        first, fingerprint = self._ids.setdefault(name, (line, admission.fingerprint))
        if first == line:
            return ""
        account.repeated += 1
        if fingerprint == admission.fingerprint:
            self.duplicates += 1
            return ""
        self.conflicts += 1
        return f"its clientOrderId belongs to a different signal, on line {first}: send it under a new one"


def try_out(path: Path, form: str, terms: Terms, watcher: Watcher, *, stop: Callable[[], bool]) -> Trial:
    """Read the whole file as ``Loader`` would. Raises LoadError for one that cannot be read."""
    trial = Trial()
    with opened(path) as file:
        require_text(file, path)
        rows_of = fanout(terms)
        for row in FORMATS[form](file, Place()):
            trial.lines = row.end.line
            for one in rows_of(row):
                _try(one, terms, trial, watcher)
            if stop():
                break
    return trial


def _try(row: Row, terms: Terms, trial: Trial, watcher: Watcher) -> None:
    prepared = prepare(Draft(row.source), terms)
    if isinstance(prepared, InvalidSignal):
        trial.invalid += 1
        watcher.refused(Reject(row, "invalid", str(prepared)))
        return
    _count(row, prepared, trial, watcher)


def _count(row: Row, prepared: Prepared, trial: Trial, watcher: Watcher) -> None:
    if why := trial.take(prepared.admission, row.line):
        watcher.refused(Reject(row, "conflict", why))
        return
    trial.warned += bool(prepared.warnings)
    for text in prepared.warnings:
        watcher.warned(row.line, text)
