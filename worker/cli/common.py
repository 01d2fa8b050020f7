"""What the commands share: how they reach Redis, and how things look."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click
import redis
from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from worker.diagnosis import of_redis
from worker.errors import QueueUnavailable
from worker.lanes.redis import connect, masked
from worker.ports import Bell
from worker.settings import Settings, load_settings

PIPE_WIDTH = 160
"""Columns where there is no terminal: a file or a pager has room, and what is cut off there is lost."""
MARKS = {"ok": ("✓", "green"), "warn": ("!", "bold yellow"), "bad": ("✗", "bold red")}
_PLAIN_MARKS = {"ok": "ok", "warn": "!", "bad": "X"}

OUTCOME_STYLES = {
    "accepted": "green",
    "cancelled": "cyan",
    "rejected": "red",
    "expired": "yellow",
    "unsent": "yellow",
    "invalid": "red",
    "unknown": "bold white on red",
    "discarded": "cyan",
}

_UNITS = {"ms": 1, "s": 1000, "": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_AGES = (("ms", 1, 1000), ("s", 1000, 90_000), ("min", 60_000, 90 * 60_000), ("h", 3_600_000, 48 * 3_600_000))
"""Unit, its length in ms, and the duration up to which it says enough."""


def open_redis() -> tuple[redis.Redis, Settings]:
    """A client that has just had an answer, and the settings.

    Raises SettingsError, or QueueUnavailable with what is wrong in one line.
    """
    settings = load_settings()
    client = connect(settings.redis_url, timeout=settings.redis_timeout)
    try:
        client.ping()
    except Exception as error:
        raise QueueUnavailable(f"{masked(settings.redis_url)}: {of_redis(error)}") from error
    return client, settings


def bell(settings: Settings) -> Bell:
    """To tell the workers what a command has left for them to do."""
    from worker.rings import CeleryBell, make_app  # Celery takes half a second to import

    return CeleryBell(
        make_app(
            settings.redis_url, settings.prefix, horizon=settings.horizon, timeout=settings.redis_timeout
        )
    )


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the command line as a whole; Rich would call it a failure."""
        raise BrokenPipeError


def console(*, stderr: bool = False) -> Console:
    """Where a command prints; made anew each time, for the streams may have been replaced."""
    found = _Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not found.is_terminal and "COLUMNS" not in os.environ:
        found.width = PIPE_WIDTH
    return found


def emit(record: Mapping[str, Any]) -> None:
    """Print one JSON object on a line of its own; ASCII only, so no terminal obeys what is in it."""
    click.echo(json.dumps(record))


def safe(text: str, *, most: int = 200) -> str:
    """The text on one line, without anything that a terminal obeys: every foreign text goes through here."""
    short = text if len(text) <= most else text[: most - 1] + "…"
    return "".join(char if char.isprintable() else _escaped(char) for char in short)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def cell(text: str, style: str = "", *, most: int = 200) -> Text:
    """A foreign text for a table: never markup, never control characters."""
    return Text(safe(text, most=most), style=style)


def name_cell(name: str, width: int) -> Text:
    """A connector's name, cut to ``width`` columns of the terminal: Rich would take them from the numbers."""
    short = cell(name)
    short.truncate(width, overflow="ellipsis")
    return short


def mark(level: str, on: Console) -> Text:
    """The sign of a level, in letters where the terminal knows no more."""
    sign, style = MARKS[level]
    return Text(sign if on.encoding.startswith("utf") else _PLAIN_MARKS[level], style=style)


def listing(*columns: str, title: str = "", right: tuple[str, ...] = ()) -> Table:
    """An empty table in the house style; ``right`` names the columns of numbers."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, title=title or None)
    table.title_justify, table.title_style, table.header_style = "left", "bold", "dim"
    for name in columns:
        number = name in right
        table.add_column(name, justify="right" if number else "left", no_wrap=True, overflow="ellipsis")
    return table


def block(content: RenderableType) -> Padding:
    """Something with an empty line above it."""
    return Padding(content, (1, 0, 0, 0))


def age(ms: float | None) -> str:
    """A duration as a person would say it: ``350 ms``, ``12 s``, ``3 min``, ``5 h``, ``4 d``."""
    if ms is None:
        return "?"
    if ms < 0:
        return f"-{age(-ms)}"
    unit, size = next(((unit, size) for unit, size, below in _AGES if ms < below), ("d", 86_400_000))
    return f"{int(ms // size)} {unit}"


def since(now_ms: int, then_ms: int | None) -> str:
    """How long ago that was, or in how long it will be."""
    if then_ms is None:
        return "?"
    return f"{age(now_ms - then_ms)} ago" if then_ms <= now_ms else f"in {age(then_ms - now_ms)}"


def moment(ms: int | None) -> str:
    """Date and time in UTC, as the logs have them."""
    if ms is None:
        return "?"
    try:
        at = datetime.fromtimestamp(ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return "?"
    return at.isoformat(sep=" ", timespec="milliseconds").replace("+00:00", "Z")


def duration(_ctx: click.Context, _param: click.Parameter, value: str | None) -> int | None:
    """Callback of an option: ``90s``, ``10m``, ``2h``, ``1d``, ``500ms`` or bare seconds, as milliseconds."""
    if value is None:
        return None
    found = re.fullmatch(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([a-z]*)\s*", value.lower())
    if found is None or found[2] not in _UNITS:
        raise click.BadParameter(f"{safe(value)} is no duration such as 90s, 10m, 2h or 1d")
    return round(float(found[1]) * _UNITS[found[2]])


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")
