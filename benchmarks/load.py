"""Loading a file, beside sending its lines as Celery tasks one by one.

    make bench-load              200,000 lines, 3 rounds
    python -m benchmarks.load --lines 1000000 --rounds 1 --json results.json

Each round loads the whole file with ``signal-producer load`` (a process of its own, with all its guards:
parsed, checked, claimed by its ids, progress on disk), then calls ``send_task`` for the first few thousand.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import redis
from celery import Celery

from benchmarks.server import empty, serve, told
from demo.stack import cli

CONNECTORS = 5000
TASKS = 5000


@dataclass(frozen=True)
class Result:
    """What one run of one contender cost."""

    contender: str
    lines: int
    per_second: float
    cpu_us: float
    """User and system time of the sender per line, in microseconds."""
    server_us: float
    """The same of the server."""
    peak_mb: float | None
    """The most memory the sending process had."""
    script_ms: float | None = None
    """How long a call holds up the server."""


def write_lines(path: Path, lines: int) -> None:
    """Orders for many connectors, each line another one's."""
    with path.open("w") as file:
        for number in range(lines):
            order = {
                "connectorName": f"account {number % CONNECTORS}",
                "connectorToken": "3f0c1a52-7e0b-4f1e-9d0e-3f1f7a2b9c11",
                "action": "openLong" if number // CONNECTORS % 2 == 0 else "closeLong",
                "fixed": f"0.{number % 997 + 1:03d}",
                "log": "load",
                "clientOrderId": f"bench-{number}",
            }
            file.write(json.dumps(order) + "\n")


def load(path: Path, lines: int, url: str, state: Path) -> Result:
    """The whole file, from the start of the process to its end."""
    command = cli("producers", "load", str(path), "--again", "--output", "json", "--state-dir", str(state))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALS_")}
    environment |= {"SIGNALS_REDIS_URL": url, "SIGNALS_PREFIX": "bench:"}
    with (
        _server_cost(url) as server,
        subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process,
    ):
        began = time.perf_counter()
        assert process.stdout is not None
        summary = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or json.loads(summary)["accepted"] != lines:
        sys.exit(f"not every line was accepted: {summary!r}")
    cpu = used.ru_utime + used.ru_stime
    return Result(
        "signal-producer load",
        lines,
        lines / seconds,
        cpu / lines * 1e6,
        server["seconds"] / lines * 1e6,
        used.ru_maxrss / 1024,
        server["script_ms"],
    )


def send_tasks(path: Path, url: str) -> Result:
    """The first lines of the file, each as a task with the line for its argument."""
    app = Celery("naive", broker=url, set_as_current=False)
    with path.open() as file:
        lines = list(islice(file, TASKS))
    app.send_task("trade", args=[json.loads(lines[0])])  # opens the connection
    with _server_cost(url) as server:
        began, cpu = time.perf_counter(), time.process_time()
        for line in lines:
            app.send_task("trade", args=[json.loads(line)])
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    app.close()
    count = len(lines)
    return Result(
        "send_task per line", count, count / seconds, cpu / count * 1e6, server["seconds"] / count * 1e6, None
    )


@contextmanager
def _server_cost(url: str) -> Iterator[dict[str, float]]:
    """CPU seconds that the server spends meanwhile, and how long a script call takes at it."""
    cost: dict[str, float] = {}
    with redis.Redis.from_url(url) as client:
        client.config_resetstat()
        before = _server_seconds(client)
        yield cost
        cost["seconds"] = _server_seconds(client) - before
        scripts = client.info("commandstats").get("cmdstat_evalsha", {})
        cost["script_ms"] = float(scripts.get("usec_per_call", 0)) / 1000
        empty(client)


def _server_seconds(client: redis.Redis) -> float:
    used = client.info("cpu")
    return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


def report(results: list[Result]) -> None:
    """Medians with their spread, and the ratio to the last contender."""
    names = list(dict.fromkeys(one.contender for one in results))
    speeds = {name: [one.per_second for one in results if one.contender == name] for name in names}
    slowest = statistics.median(speeds[names[-1]])
    print(f"\n{'median of rounds':22} {'lines/s':>9} {'(min-max)':>15} {'ratio':>6}")
    for name in names:
        median, spread = statistics.median(speeds[name]), f"{min(speeds[name]):.0f}-{max(speeds[name]):.0f}"
        print(f"{name:22} {median:9.0f} {spread:>15} {median / slowest:6.2f}")


def _line(one: Result) -> str:
    extra = "" if one.peak_mb is None else f", peak {one.peak_mb:.0f} MB, {one.script_ms:.1f} ms a script"
    return (
        f"{one.contender:22} {one.per_second:8.0f} lines/s, CPU {one.cpu_us:.0f} µs here"
        f" and {one.server_us:.0f} µs at the server per line{extra}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--redis-url",
        help="A server of yours, which is emptied. Default: one of its own.",
    )
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/load.json"))
    options = parser.parse_args()
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="signals-bench-") as name:
        folder = Path(name)
        path = folder / "signals.jsonl"
        write_lines(path, options.lines)
        with serve(folder / "server") as server:
            url = options.redis_url or server.url
            with redis.Redis.from_url(url) as client:
                print(f"on {told(client)}", flush=True)
            for _ in range(options.rounds):
                for one in (load(path, options.lines, url, folder), send_tasks(path, url)):
                    results.append(one)
                    print(_line(one), flush=True)
    report(results)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps([vars(one) for one in results], indent=2) + "\n")


if __name__ == "__main__":
    main()
