"""``signal-worker tail``."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from itertools import islice

import click
from rich.console import Console
from rich.text import Text

from worker.cli.common import (
    OUTCOME_STYLES,
    age,
    cell,
    console,
    duration,
    emit,
    json_option,
    moment,
    open_redis,
)
from worker.lanes.feed import Feed
from worker.lanes.register import Register
from worker.lanes.views import OutcomeView
from worker.records import Outcome

_DEFAULT_LAST = 10


@click.command()
@click.option(
    "--connector",
    "connectors",
    multiple=True,
    metavar="NAME",
    help="Only of this connector, or of those matching it (acct-*); may be given again.",
)
@click.option(
    "--outcome",
    "outcomes",
    multiple=True,
    type=click.Choice([outcome.value for outcome in Outcome]),
    help="Only signals that ended so; may be given again.",
)
@click.option(
    "-n",
    "last",
    type=click.IntRange(0),
    metavar="N",
    help=f"Begin with the last N  [default: {_DEFAULT_LAST}, or all with --since]",
)
@click.option(
    "--since", callback=duration, metavar="DURATION", help="Begin with those of the last 10m, 2h, …"
)
@click.option("--follow/--no-follow", default=True, help="Go on as outcomes happen  [default: follow]")
@json_option
def command(
    connectors: tuple[str, ...],
    outcomes: tuple[str, ...],
    last: int | None,
    since: int | None,
    follow: bool,
    as_json: bool,
) -> None:
    """Show outcomes as they happen, until Ctrl-C.

    \b
    Columns: time (UTC), connector, action, outcome, attempts, time from due to outcome, why.
    \b
    Examples:
      signal-worker tail
      signal-worker tail --outcome unknown --outcome rejected --since 2h
      signal-worker tail --connector 'acct-*' --json | jq .why
    """
    client, settings = open_redis()
    # Below the client's own timeout, or every quiet second would look like an outage.
    feed = Feed(
        client, prefix=settings.prefix, block_ms=max(1, round(min(1.0, settings.redis_timeout / 2) * 1000))
    )
    wanted = _filter(connectors, outcomes)
    out = console()
    with suppress(KeyboardInterrupt):
        newest = feed.newest()
        since_ms = 0 if since is None else Register(client, prefix=settings.prefix).now_ms() - since
        for outcome in _past(feed, newest, since_ms, last, wanted):
            _show(outcome, out, as_json=as_json)
        if follow:
            for outcome in filter(wanted, feed.follow(newest, trouble=_complain)):
                _show(outcome, out, as_json=as_json)


def _filter(connectors: tuple[str, ...], outcomes: tuple[str, ...]) -> Callable[[OutcomeView], bool]:
    def wanted(outcome: OutcomeView) -> bool:
        # A name may hold the characters of a pattern, so the exact one counts too.
        name = outcome.connector
        named = not connectors or any(name == one or fnmatchcase(name, one) for one in connectors)
        return named and (not outcomes or outcome.outcome in outcomes)

    return wanted


def _past(
    feed: Feed, newest: str, since_ms: int, last: int | None, wanted: Callable[[OutcomeView], bool]
) -> Iterator[OutcomeView]:
    most = last if last is not None else None if since_ms else _DEFAULT_LAST
    found = deque(islice(filter(wanted, feed.past(newest, since_ms=since_ms)), most))
    while found:
        yield found.pop()


def _complain(text: str) -> None:
    click.echo(f"signal-worker: {text}", err=True)


def _show(outcome: OutcomeView, out: Console, *, as_json: bool) -> None:
    if as_json:
        emit(dataclasses.asdict(outcome))
        return
    # Neither wrapped nor cut: a line is an outcome, for grep as for the eye.
    out.print(_line(outcome), soft_wrap=True)


def _line(outcome: OutcomeView) -> Text:
    late = None if None in (outcome.at_ms, outcome.due_ms) else (outcome.at_ms or 0) - (outcome.due_ms or 0)
    line = Text()
    line.append(moment(outcome.at_ms)[11:], style="dim")
    line.append("  ").append_text(_padded(cell(outcome.connector, most=128), 20))
    line.append("  ").append_text(_padded(cell(outcome.action, most=64), 12))
    line.append("  ").append_text(
        _padded(cell(outcome.outcome, OUTCOME_STYLES.get(outcome.outcome, "red")), 9)
    )
    line.append("  ").append(f"x{'?' if outcome.attempts is None else outcome.attempts}".ljust(3))
    line.append("  ").append(_lateness(late).rjust(8))
    return line.append("  ").append_text(cell(outcome.why, "dim"))


def _lateness(late: int | None) -> str:
    """How long after its due time it ended; negative: it was dropped before it was due."""
    if late is None or late < 0:
        return age(late)
    return f"+{late} ms" if late < 10_000 else f"+{age(late)}"


def _padded(text: Text, width: int) -> Text:
    text.pad_right(max(0, width - text.cell_len))
    return text
