"""``signal-producer load``."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Literal

import click

from producers import SignalProducer
from producers.cli.bar import Bar
from producers.cli.options import as_json, output_option, terms_options
from producers.cli.tables import print_summary
from producers.load.loader import Job, Loader
from producers.load.progress import Progress
from producers.load.source import FORMATS, format_of


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(list(FORMATS)), help="Default: what the name ends in.")
@click.option("--again", is_flag=True, help="Send the whole file anew, also what was sent before.")
@click.option(
    "--unsure",
    type=click.Choice(["skip", "send"]),
    help="What to do with a batch of which nobody knows any more whether it was taken.",
)
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    help="Where to keep progress and rejected lines. Default: beside the file.",
)
@terms_options
@output_option
def command(
    file: Path,
    form: str | None,
    again: bool,
    unsure: Literal["send", "skip"] | None,
    state_dir: Path | None,
    max_age: float | None,
    dedup_window: float | None,
    output: str | None,
) -> None:
    """Send a file of signals: JSON lines (.jsonl, .ndjson, .json) or CSV (.csv).

    The first row of a CSV file names the fields; an empty cell means that the field is absent.

    FILE.progress.json keeps how far it came: after Ctrl-C, a crash or trouble with Redis, the same command
    goes on there, and no signal is sent twice. Lines that are not taken are set aside in
    FILE.rejected.jsonl, readable by you only, because they hold tokens. Mend and send them like this:

    \b
      jq -r .text signals.jsonl.rejected.jsonl > mended.jsonl

    Entries expire a minute after they are due, so load no more than the workers can post in that time, or
    allow more with --max-age.

    \b
    Examples:
      signal-producer load signals.jsonl
      signal-producer load rebalance.csv --max-age 600
      signal-producer load /config/signals.csv --state-dir /var/lib/signals --output json
    """
    form = form or format_of(file)
    if form is None:
        raise click.UsageError(f"{file}: the name tells no format, so add --format jsonl or --format csv")
    folder = state_dir or file.parent
    started = time.monotonic()
    with SignalProducer() as producer, _asked_to_stop() as stop, Bar() as bar:
        job = Job(
            path=file,
            format=form,
            progress_path=folder / f"{file.name}.progress.json",
            rejects_path=folder / f"{file.name}.rejected.jsonl",
            terms=producer.terms(max_age=max_age, dedup_window=dedup_window, in_order=True),
            again=again,
            unsure=unsure,
        )
        progress = Loader(job, producer, bar, stop=stop).run()
    handled = progress.counters.signals - bar.before
    print_summary(_summary(job, progress, handled, time.monotonic() - started), machine=as_json(output))
    if progress.state == "stopped":
        click.echo(
            f"stopped behind line {progress.place.line}: run the same command to go on there", err=True
        )
    sys.exit(0 if progress.state == "done" and not progress.counters.refused else 1)


def _summary(job: Job, progress: Progress, handled: int, seconds: float) -> dict[str, object]:
    counters = progress.counters
    return {
        "file": str(job.path),
        "state": progress.state,
        "lines": progress.place.line,
        "signals": counters.signals,
        "accepted": counters.accepted,
        "duplicates": counters.duplicate,
        "conflicts": counters.conflict,
        "invalid": counters.invalid,
        "unsure": counters.unsure,
        "with_warnings": counters.warned,
        "set_aside_in": str(job.rejects_path) if counters.refused else None,
        "seconds": round(seconds, 2),
        "signals_per_second": round(handled / seconds) if seconds else None,
    }


@contextmanager
def _asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Turns the first Ctrl-C or SIGTERM into a wish to stop after the batch; a second one ends at once."""
    wishes: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        wishes.append(number)
        if len(wishes) > 1:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(wishes)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
