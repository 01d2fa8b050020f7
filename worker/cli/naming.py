"""How a command is told which signals are meant: by id, or one by what its sender calls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from worker.cli.common import safe
from worker.errors import SignalsError
from worker.lanes.register import Register

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Named:
    """What was given: ids, or a connector and the clientOrderId or idempotency key of one of its signals."""

    ids: tuple[str, ...]
    connector: str | None
    order: str | None
    key: str | None

    def resolve(self, register: Register) -> list[str]:
        """The ids that are meant, each once.

        Raises UsageError if it is not clear what is meant, SignalsError if no signal has that name now.
        """
        by_name = bool(self.connector and (self.order or self.key))
        given = sum(one is not None for one in (self.connector, self.order, self.key))
        if given != 2 * by_name or bool(self.ids) == by_name:
            raise click.UsageError("Name signals by id, or one by --connector and --order (or --key).")
        if self.ids:
            return list(dict.fromkeys(self.ids))
        connector, name = self.connector or "", self.order or self.key or ""
        found = register.holder("order" if self.order else "key", connector, name)
        if found is None:
            what = "clientOrderId" if self.order else "idempotency key"
            raise SignalsError(
                f"no signal of {safe(connector)} holds the {what} {safe(name)} now: never sent, or"
                " over (`signal-worker dead list` shows those that ended without an order)"
            )
        return [found]


def named(command: F) -> F:
    """The arguments of ``Named``: ``ids``, ``connector``, ``order`` and ``key``."""
    for add in (
        click.option("--key", metavar="KEY", help="The one with this idempotency key."),
        click.option("--order", metavar="ID", help="The one with this clientOrderId."),
        click.option("--connector", metavar="NAME", help="Whose, for --order and --key."),
        click.argument("ids", nargs=-1, metavar="[ID]..."),
    ):
        command = add(command)
    return command
