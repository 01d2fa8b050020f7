"""What ``signal-worker pause`` and ``resume`` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from worker.accounts import Account, read_accounts
from worker.cli.common import safe
from worker.cli.decisions import who
from worker.errors import SettingsError
from worker.lanes.pauses import BY_PERSON, by_group, describe
from worker.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])


def options(command: F) -> F:
    """The arguments both take beside their scopes."""
    for add in (
        click.option("--connector", "connectors", multiple=True, metavar="NAME", help="Only it; repeatable."),
        click.option("--group", metavar="NAME", help="Only this group of the accounts file."),
        click.option("--why", default="", metavar="TEXT", help="For what reason; it is recorded."),
        click.option("--by", default=who, show_default="your login name", help="Who says so; recorded."),
    ):
        command = add(command)
    return command


def chosen(connectors: tuple[str, ...], group: str | None, settings: Settings) -> tuple[list[str], str]:
    """The connectors that are meant (none: all of them), and the reason to record."""
    if any(not name.strip() for name in connectors):
        raise click.UsageError("--connector: an empty name; is a variable not set?")
    if group is None:
        return list(connectors), BY_PERSON
    if connectors:
        raise click.UsageError("--group goes not with --connector: give the command twice")
    return [account.name for account in _members(group, settings)], by_group(group)


def _members(group: str, settings: Settings) -> tuple[Account, ...]:
    if settings.accounts_file is None:
        raise SettingsError("groups need an accounts file: set SIGNALS_ACCOUNTS_FILE")
    accounts, _ = read_accounts(Path(settings.accounts_file))
    if found := accounts.members(group):
        return found
    there_are = ", ".join(sorted(accounts.groups)) or "none"
    raise SettingsError(f"no account is in the group {group!r}; there are: {there_are}")


def in_words(scopes: dict[str, tuple[str, ...]] | list[str]) -> str:
    """What is held, in one line."""
    return ", ".join(safe(describe(scope)) for scope in scopes) or "nothing"
