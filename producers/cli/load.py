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
from producers.cli.tables import print_summary, print_trial
from producers.load.loader import Job, Loader
from producers.load.progress import Progress
from producers.load.source import FORMATS, format_of, is_pipe, piped
from producers.load.trial import Trial, try_out
from worker.commands import collect_garbage_seldom

_GO_ON = ": run the same command to go on there"


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
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
@click.option(
    "--follow", is_flag=True, help="Wait for what is added, until Ctrl-C or SIGTERM; also for pipes."
)
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Signals per second, at most.")
@click.option("--dry-run", is_flag=True, help="Check everything and show what would happen; send nothing.")
@terms_options
@output_option
def command(
    file: Path,
    form: str | None,
    again: bool,
    unsure: Literal["send", "skip"] | None,
    state_dir: Path | None,
    follow: bool,
    rate: float | None,
    dry_run: bool,
    max_age: float | None,
    dedup_window: float | None,
    output: str | None,
) -> None:
    """Send a file of signals: JSON lines (.jsonl, .ndjson, .json) or CSV (.csv).

    The first row of a CSV file names the fields; an empty cell means that the field is absent. A row with
    `group` in place of `connectorName` becomes one signal for each member of that group of the accounts file.

    FILE.progress.json keeps how far it came: after Ctrl-C, a crash or trouble with Redis, the same command
    goes on there, and no signal is sent twice. Lines that are not taken are set aside in
    FILE.rejected.jsonl, readable by you only, because they hold tokens. Mend and send them like this:

    \b
      jq -r .text signals.jsonl.rejected.jsonl > mended.jsonl

    Entries expire a minute after they are due, so load no more than the workers can post in that time, or
    allow more with --max-age.

    With --follow, lines go out as soon as they are whole, and a growing file can be gone on with like any
    other. A pipe (- or a FIFO) cannot: for it no progress is kept, and its lines sent again are sent anew.

    \b
    Examples:
      signal-producer load signals.jsonl
      signal-producer load signals.jsonl --dry-run
      signal-producer load signals.jsonl --rate 200
      signal-producer load signals.jsonl --follow
      tail -F strategy.log | jq -c .signal | signal-producer load - --follow --format jsonl
      signal-producer load rebalance.csv --max-age 600
      signal-producer load /config/signals.csv --state-dir /var/lib/signals --output json
    """
    started = time.monotonic()
    pipe = is_pipe(file)
    form = form or format_of(file)
    _check_usage(file, form, again=again or unsure is not None, follow=follow, dry_run=dry_run)
    folder = state_dir or (Path() if pipe else file.parent)
    name = "stdin" if str(file) == "-" else file.name
    with SignalProducer() as producer, _asked_to_stop() as stop, Bar(endless=follow) as bar:
        job = Job(
            path=file,
            format=form or "",
            progress_path=folder / f"{name}.progress.json",
            rejects_path=folder / f"{name}.rejected.jsonl",
            terms=producer.terms(max_age=max_age, dedup_window=dedup_window, in_order=True),
            again=again,
            unsure=unsure,
            follow=follow,
            rate=rate,
        )
        collect_garbage_seldom()
        outcome = (
            try_out(file, job.format, job.terms, bar, stop=stop)
            if dry_run
            else _loaded(Loader(job, producer, bar, stop=stop), file, pipe=pipe)
        )
    if isinstance(outcome, Trial):
        print_trial(file, outcome, machine=as_json(output))
        sys.exit(1 if outcome.refused else 0)
    seconds = time.monotonic() - started
    handled = outcome.counters.signals - bar.before
    print_summary(_summary(job, outcome, handled, seconds), machine=as_json(output))
    if outcome.state == "stopped":
        click.echo(f"stopped behind line {outcome.place.line}{'' if pipe else _GO_ON}", err=True)
    ended = outcome.state == "done" or follow
    sys.exit(0 if ended and not outcome.counters.refused else 1)


def _check_usage(file: Path, form: str | None, *, again: bool, follow: bool, dry_run: bool) -> None:
    if is_pipe(file) and not follow:
        raise click.UsageError(f"{file} is a pipe, of which no progress can be kept: add --follow")
    if is_pipe(file) and again:
        raise click.UsageError("--again and --unsure are for files: of a pipe no progress is kept")
    if dry_run and follow:
        raise click.UsageError("--dry-run reads a file to its end, so --follow does not go with it")
    if form is None:
        raise click.UsageError(f"{file}: the name tells no format, so add --format jsonl or --format csv")


def _loaded(loader: Loader, file: Path, *, pipe: bool) -> Progress:
    if not pipe:
        return loader.run()
    with piped(file) as descriptor:
        return loader.run_pipe(descriptor)


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
