"""How receipts and summaries look."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from producers.load.trial import Trial
from producers.receipts import Receipt

_COLOURS = {"accepted": "green", "duplicate": "yellow", "conflict": "red", "full": "red", "invalid": "red"}
MOST_CONNECTORS = 30
"""Connectors of a dry run that a table shows: those with most signals."""
_WIDTH_OF_A_FILE = 160
"""Columns of a table that does not go to a terminal."""


def print_receipts(receipts: Sequence[Receipt], *, machine: bool) -> None:
    """One JSON object a line, or a table."""
    if machine:
        for receipt in receipts:
            click.echo(json.dumps(receipt.as_dict(), ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("status", "connector", "id"):
        table.add_column(heading, no_wrap=True)
    table.add_column("", overflow="fold")
    for receipt in receipts:
        table.add_row(*_cells(receipt))
    _console().print(table)


def print_summary(summary: Mapping[str, object], *, machine: bool) -> None:
    """One JSON object, or a table of two columns."""
    if machine:
        click.echo(json.dumps(summary, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in summary.items():
        table.add_row(name.replace("_", " "), Text("-" if value is None else str(value)))
    _console().print(table)


def print_trial(path: Path, trial: Trial, *, machine: bool) -> None:
    """What a dry run found: one JSON object, or two tables."""
    accounts = trial.accounts.values()
    summary = {
        "file": str(path),
        "state": "dry run",
        "lines": trial.lines,
        "signals": trial.signals,
        "would_be_accepted": trial.signals - trial.refused - trial.duplicates,
        "duplicates": trial.duplicates,
        "conflicts": trial.conflicts,
        "invalid": trial.invalid,
        "with_warnings": trial.warned,
        "delayed": sum(one.delayed for one in accounts),
        "longest_delay": max((one.longest_delay_ms for one in accounts), default=0) / 1000,
        "drop_what_waits": trial.dropping,
    }
    if machine:
        connectors = {name: asdict(one) for name, one in sorted(trial.accounts.items())}
        click.echo(json.dumps({**summary, "connectors": connectors}, ensure_ascii=False))
        return
    print_summary({**summary, "connectors": len(trial.accounts)}, machine=False)
    table = Table(box=None, pad_edge=False)
    for heading in ("connector", "signals", "entry", "partial", "full", "cancel", "delayed", "repeated ids"):
        table.add_column(heading, justify="left" if heading == "connector" else "right")
    largest = sorted(trial.accounts.items(), key=lambda item: -item[1].signals)
    for name, one in largest[:MOST_CONNECTORS]:
        classes = [str(one.by_class.get(kind, 0)) for kind in ("entry", "partial", "full", "cancel")]
        table.add_row(Text(name), str(one.signals), *classes, str(one.delayed), str(one.repeated))
    _console().print(table)
    if len(largest) > MOST_CONNECTORS:
        click.echo(f"and {len(largest) - MOST_CONNECTORS} connectors more: --output json shows all")


def _cells(receipt: Receipt) -> tuple[Text, ...]:
    status = receipt.status.value
    return (
        Text(status, style=_COLOURS[status]),
        Text(receipt.connector or "-"),
        Text(receipt.id or receipt.first_id or "-"),
        Text(_remark(receipt)),
    )


def _remark(receipt: Receipt) -> str:
    parts = [receipt.error] if receipt.error else []
    if receipt.status == "duplicate":
        parts.append(f"known already, and {receipt.state}")
    if receipt.due_in:
        parts.append(f"due in {receipt.due_in:g} s")
    return "; ".join(parts + [f"warning: {text}" for text in receipt.warnings])


def _console() -> Console:
    # Cutting an id to 80 columns would make a file of it useless.
    return Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_FILE, highlight=False)
