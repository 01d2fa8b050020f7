"""A storm over a complete stack, and a check of every signal. ``make chaos`` runs it.

Exits 0 only if every promise was kept; otherwise it tells the story of what broke, and keeps all logs.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from chaos import report
from chaos.house import Size
from chaos.launch import faketime_library
from chaos.run import Verdict, run
from chaos.storm import Watch
from worker.errors import SignalsError

FOLDER = Path(".run")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the storm lasts (20)")
    parser.add_argument("--seed", type=int, default=None, help="repeats traffic and plan; not the timing")
    parser.add_argument("--rate", type=float, default=60.0, help="signals per second (60)")
    parser.add_argument("--keep", action="store_true", help="keep the logs of a good run too")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the parts are stopped
    console = Console(stderr=options.json)
    if not console.is_terminal:
        console.width = 120
    seed = int(datetime.now(UTC).timestamp()) if options.seed is None else options.seed
    folder = FOLDER / f"chaos-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True)
    if faketime_library() is None:
        console.print("[yellow]![/] no worker's clock will be wrong: `apt-get install faketime` adds that")
    console.print(f"[dim]seed {seed}, logs in {folder}[/]")
    try:
        with _progress(console) as watch:
            verdict = run(
                Size(seed=seed, seconds=options.seconds, rate=options.rate), folder.absolute(), watch
            )
    except SignalsError as error:
        sys.exit(f"chaos: {error}")
    except KeyboardInterrupt:
        sys.exit("chaos: stopped")
    _tell(console, verdict, folder, as_json=options.json)
    (folder / "history.json").write_text(json.dumps(asdict(verdict.history), default=list), "utf-8")
    if not verdict.violations and not options.keep:
        shutil.rmtree(folder)
    sys.exit(1 if verdict.violations else 0)


def _tell(console: Console, verdict: Verdict, folder: Path, *, as_json: bool) -> None:
    if as_json:
        told = [{"rule": one.rule, "text": one.text, "id": one.id} for one in verdict.violations]
        print(json.dumps({**verdict.numbers, "violations": told}))
    else:
        report.show(console, verdict.numbers, verdict.violations)
    if verdict.violations:
        story = folder / "violations.txt"
        lines = list(report.tell(verdict.history, verdict.violations, verdict.logs))
        story.write_text("\n".join(lines), "utf-8")
        console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
        console.print(f"All logs are kept in {folder}, this in {story}")


@contextmanager
def _progress(console: Console) -> Iterator[Watch]:
    columns = (TextColumn("{task.description:9}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bars: dict[str, TaskID] = {}

        def watch(phase: str, done: float, of: float) -> None:
            if phase not in bars:
                for bar in bars.values():
                    progress.update(bar, completed=1, total=1)
                bars[phase] = progress.add_task(phase)
            progress.update(bars[phase], completed=done, total=of)

        yield watch


if __name__ == "__main__":
    main()
