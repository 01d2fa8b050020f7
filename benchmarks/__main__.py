"""Measures this project beside bare scripts, a naive Celery task, Dramatiq and RQ.

    make bench                                     everything, three rounds: most of an hour
    make bench-quick                               the essentials, once
    python -m benchmarks --scenario fan-out --scenario streams --rounds 5
    python -m benchmarks --json | jq .goals

Rounds are interleaved: each plays all scenarios, and each scenario all contenders, before the next begins.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import plot, programme, report
from benchmarks.goals import verdicts
from benchmarks.samples import Samples
from benchmarks.server import told
from benchmarks.stage import Stage
from worker.errors import SignalsError

MOST_ROUNDS = 100
LEAST_SCALE = 0.01
"""With less, some scenarios would have no signals."""
MOST_SCALE = 100


def main() -> None:
    options = _options()
    scale = options.scale
    plays = programme.quick(scale) if options.quick else {**programme.full(scale), **programme.once()}
    if unknown := set(options.scenario) - set(plays):
        sys.exit(f"no such scenario: {', '.join(sorted(unknown))}; there are {', '.join(plays)}")
    wanted = {name: play for name, play in plays.items() if not options.scenario or name in options.scenario}
    samples = Samples()
    trouble = None
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what was started is stopped
    try:
        _play(wanted, options.rounds or (1 if options.quick else 3), samples, one_core=options.one_core)
    except SignalsError as error:
        trouble = f"given up: {error}"
    except KeyboardInterrupt:
        trouble = "given up"
    found = report.machine(samples, list(verdicts(samples)))
    report.write(options.results / "latest.json", found)
    plot.write(samples, options.results)
    if options.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        report.show(samples, Console(width=None if sys.stdout.isatty() else 110))
    sys.exit(trouble)  # what had been measured until then is told all the same


def _play(plays: dict[str, programme.Play], rounds: int, samples: Samples, *, one_core: bool) -> None:
    with Stage(one_core=one_core) as stage:
        samples.server = told(stage.redis)
        print(f"on {samples.server}", file=sys.stderr)
        for turn in range(rounds):
            for name, play in plays.items():
                if turn and name in programme.once():
                    continue
                began = time.monotonic()
                print(f"round {turn + 1} of {rounds}: {name} …", end="", file=sys.stderr, flush=True)
                play(stage, samples)
                print(f" {time.monotonic() - began:.0f} s", file=sys.stderr)


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="the essentials, with few signals")
    parser.add_argument("--scenario", action="append", default=[], help="only this one; may be repeated")
    parser.add_argument("--rounds", type=_rounds, help="default: 3, quick: 1")
    parser.add_argument("--one-core", action="store_true", help="bind each contender's worker to one core")
    parser.add_argument("--scale", type=_scale, default=1.0, help="share of the signals, such as 0.3")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument(
        "--results",
        type=Path,
        default=Path("benchmarks/results"),
        metavar="FOLDER",
        help="where latest.json and the plots are written; default: %(default)s",
    )
    return parser.parse_args(arguments)


def _rounds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_ROUNDS):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {MOST_ROUNDS} (got {text!r})")
    return int(text)


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not LEAST_SCALE <= scale <= MOST_SCALE:  # nor is it nan
        raise argparse.ArgumentTypeError(f"must be from {LEAST_SCALE} to {MOST_SCALE} (got {text!r})")
    return scale


if __name__ == "__main__":
    main()
