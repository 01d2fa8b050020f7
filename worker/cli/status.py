"""``signal-worker status``."""

from __future__ import annotations

import dataclasses
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import click
from rich.console import RenderableType
from rich.live import Live

from worker.cli.common import (
    cell,
    console,
    emit,
    json_option,
    open_redis,
)
from worker.cli.page import picture
from worker.cli.risk import risks
from worker.errors import SignalsError
from worker.lanes.acts import Acts
from worker.lanes.register import Register
from worker.lanes.views import LaneView, PauseView
from worker.records import Census


@click.command()
@click.option(
    "--lanes",
    "most",
    type=click.IntRange(0, 1000),
    default=10,
    show_default=True,
    help="Show so many lanes, those that wait the longest.",
)
@click.option("--watch", type=click.FloatRange(0.1, 3600), metavar="SECONDS", help="Show it again and again.")
@json_option
def command(most: int, watch: float | None, as_json: bool) -> None:
    """Show what waits, what is late, and whether money is at risk.

    \b
    The first lines say what a person should look at now:
      ✗  money may be at stake: a fate is unknown, or an exit failed
      !  entries were missed, or something comes late
    \b
    Examples:
      signal-worker status
      signal-worker status --watch 2 --lanes 30
      signal-worker status --json | jq .dead
    """
    client, settings = open_redis()
    look = _Look(Register(client, prefix=settings.prefix), Acts(client, prefix=settings.prefix), most)
    if watch is None:
        _once(look, as_json=as_json)
        return
    with suppress(KeyboardInterrupt):
        if not as_json and console().is_terminal:
            _live(look, watch)
        while True:
            _once(look, as_json=as_json)
            time.sleep(watch)


@dataclass(frozen=True, slots=True)
class _Look:
    """Asks for all that is shown."""

    register: Register
    acts: Acts
    lanes: int

    def __call__(self) -> tuple[Census, list[PauseView], list[LaneView]]:
        census = self.register.census()
        return census, self.acts.pauses(census.pauses), self.register.lanes(self.lanes)


def _once(look: _Look, *, as_json: bool) -> None:
    if as_json:
        emit(_record(*look()))
    else:
        out = console()
        out.print(picture(*look(), out))


def _live(look: _Look, every: float) -> None:
    out = console()
    with Live(console=out, auto_refresh=False, screen=True) as live:
        while True:
            try:
                shown: RenderableType = picture(*look(), out)
            except SignalsError as error:
                # It may come back; whoever watches wants to see it do so.
                shown = cell(f"{error}", "bold red")
            live.update(shown, refresh=True)
            time.sleep(every)


def _record(census: Census, pauses: list[PauseView], lanes: list[LaneView]) -> dict[str, Any]:
    return {
        **dataclasses.asdict(census),
        "risks": [dataclasses.asdict(risk) for risk in risks(census)],
        "paused_by": [dataclasses.asdict(pause) for pause in pauses],
        "oldest_lanes": [dataclasses.asdict(lane) for lane in lanes],
    }
