"""``signal-worker check``."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator

import click
from rich.table import Table
from rich.text import Text

from worker.cli.common import MARKS, cell, console, emit, json_option, mark
from worker.doctor import Finding, examine, examine_accounts
from worker.errors import SettingsError
from worker.settings import load_settings

_SUBJECT_WIDTH = 11


@click.command()
@click.option(
    "--accounts", metavar="FILE", help="Look only at this accounts file, and tell all its problems."
)
@json_option
def command(accounts: str | None, as_json: bool) -> None:
    """Look whether settings, Redis, clock and endpoint are fit for money.

    Posts nothing. Exits with 1 if anything forbids work.

    \b
    Examples:
      signal-worker check
      signal-worker check --accounts accounts.yaml
      signal-worker check --json | jq 'select(.level != "ok")'
    """
    healthy = True
    for finding in examine_accounts(accounts) if accounts else _findings():
        healthy = healthy and finding.level != "bad"
        if as_json:
            emit(dataclasses.asdict(finding))
        else:
            _show(finding)
    sys.exit(0 if healthy else 1)


def _findings() -> Iterator[Finding]:
    try:
        settings = load_settings()
    except SettingsError as error:
        yield Finding("bad", "settings", str(error))
        return
    yield from examine(settings)


def _show(finding: Finding) -> None:
    # One by one as they come: a server that does not answer takes seconds to say so.
    out = console()
    row = Table.grid(padding=(0, 1))
    row.add_column(width=2)
    row.add_column(width=_SUBJECT_WIDTH)
    style = "" if finding.level == "ok" else MARKS[finding.level][1]
    row.add_row(
        mark(finding.level, out), Text(finding.subject, style="dim"), cell(finding.text, style, most=500)
    )
    out.print(row)
