"""Options that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from producers.admission import LONGEST_SECONDS

F = TypeVar("F", bound=Callable[..., Any])

_SECONDS = click.FloatRange(min=0, min_open=True, max=LONGEST_SECONDS)


def terms_options(command: F) -> F:
    """``--max-age`` and ``--dedup-window``."""
    max_age = click.option(
        "--max-age", type=_SECONDS, help="Seconds after its due time that a signal may still be posted."
    )
    window = click.option(
        "--dedup-window", type=_SECONDS, help="Seconds that ids and keys are remembered to spot duplicates."
    )
    return max_age(window(command))


def output_option(command: F) -> F:
    """``--output``; see ``as_json``."""
    return click.option(
        "--output",
        type=click.Choice(["table", "json"]),
        help="A table, or one JSON object a line. Default: a table on a terminal, else JSON.",
    )(command)


def as_json(output: str | None) -> bool:
    """Whether to write for machines."""
    return output == "json" or (output is None and not sys.stdout.isatty())
