"""What ``signal-worker pause`` and ``resume`` share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from worker.cli.acts import who
from worker.cli.common import open_redis, safe
from worker.lanes import Lanes
from worker.lanes.pauses import describe
from worker.lanes.register import Register
from worker.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])


def options(command: F) -> F:
    """The arguments both take beside their scopes."""
    for add in (
        click.option("--why", default="", metavar="TEXT", help="For what reason; it is recorded."),
        click.option("--by", default=who, show_default="your login name", help="Who says so; recorded."),
    ):
        command = add(command)
    return command


def opened() -> tuple[Lanes, Register, Settings]:
    """What both work with. Raises SettingsError or QueueUnavailable."""
    client, settings = open_redis()
    lanes = Lanes(client, prefix=settings.prefix, timing=settings.timing(), patience=settings.redis_patience)
    return lanes, Register(client, prefix=settings.prefix), settings


def in_words(scopes: dict[str, tuple[str, ...]] | list[str]) -> str:
    """What is held, in one line."""
    return ", ".join(safe(describe(scope)) for scope in scopes) or "nothing"
