"""What the commands share by which a person decides about signals: who, why, and what came of it."""

from __future__ import annotations

import getpass
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, Protocol, TypeVar

import click

from worker import crash
from worker.cli.common import bell, emit, json_option, open_redis, safe
from worker.errors import SettingsError
from worker.lanes import Lanes
from worker.lanes.register import Register
from worker.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])
_BATCH = 200


class Decided(Protocol):
    """What the queue answers: one status per signal, and what is left for the workers to do."""

    @property
    def results(self) -> Sequence[str]: ...
    @property
    def rings(self) -> Sequence[str]: ...
    @property
    def slots_ms(self) -> Sequence[int]: ...
    @property
    def now_ms(self) -> int: ...


def opened() -> tuple[Lanes, Register, Settings]:
    """What they work with. Raises SettingsError or QueueUnavailable."""
    client, settings = open_redis()
    lanes = Lanes(
        client,
        prefix=settings.prefix,
        timing=settings.timing(),
        patience=settings.redis_patience,
        durability=settings.required_durability(),
    )
    return lanes, Register(client, prefix=settings.prefix), settings


def who() -> str:
    """The login name, to be recorded; raises SettingsError if there is none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        raise SettingsError("nobody knows who you are here: say it with --by NAME") from None


def options(command: F) -> F:
    """The arguments that every decision takes: ``by``, ``why``, ``yes``, ``as_json``."""
    for add in (
        json_option,
        click.option("--yes", is_flag=True, help="Do not ask."),
        click.option("--why", default="", metavar="TEXT", help="For what reason; it is recorded."),
        click.option("--by", default=who, show_default="your login name", help="Who decides; recorded."),
    ):
        command = add(command)
    return command


def carry_out(
    ids: Iterable[str], decide: Callable[[Sequence[str]], Decided], settings: Settings
) -> Iterator[tuple[str, str]]:
    """Decide batch by batch, and tell the workers; each id with its status."""
    rest = iter(ids)
    # Most decisions leave the workers nothing to do, and Celery takes half a second to import.
    ringer = cache(lambda: bell(settings))
    while batch := list(islice(rest, _BATCH)):
        answer = decide(batch)
        crash.here("resolved")
        if answer.rings:
            ringer().ring(answer.rings)
        if answer.slots_ms:
            ringer().wake(answer.slots_ms, answer.now_ms)
        yield from zip(batch, answer.results, strict=True)


def tell(
    results: Iterable[tuple[str, str]], act: str, of: str, words: Mapping[str, str], *, as_json: bool
) -> None:
    """Say what came of it, and end the command: 0 if all was done. ``words`` explains the other statuses."""
    counted: Counter[str] = Counter()
    for signal_id, status in results:
        counted[status] += 1
        if as_json:
            emit({"id": signal_id, "act": act, "status": status})
        elif status != "done":
            click.echo(f"{safe(signal_id)}: {words[status]}", err=True)
    if not as_json:
        click.echo(f"{act}: {counted['done']:,} of {counted.total():,} {of}")
    sys.exit(0 if counted["done"] == counted.total() else 1)
