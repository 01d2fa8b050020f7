"""Fan-out: one signal to each of many accounts; worker CPU per signal beside a naive Celery task.

    make bench-fanout            5,000 signals, 3 rounds
    python -m benchmarks.fanout --signals 10000 --rounds 5 --json results.json

All signals are queued before the worker starts to count, so that only the worker's work is measured.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.contenders import naive
from demo.stack import Process, Server, eventually, fetch, free_port, start_worker
from producers import SignalProducer
from worker.settings import Settings

THREADS = 32
WARM_UP = 200


@dataclass(frozen=True)
class Result:
    """What one run of one contender cost."""

    contender: str
    signals: int
    cpu_us: float
    """User and system time of the worker process per signal, in microseconds."""
    per_second: float


@dataclass(frozen=True)
class Contender:
    name: str
    start: Callable[[Path], Process]
    send: Callable[[int, int], None]
    """Queue so many signals, numbered from the second argument."""


def message(number: int) -> dict[str, str]:
    return {
        "connectorName": f"account {number}",
        "connectorToken": "3f0c1a52-7e0b-4f1e-9d0e-3f1f7a2b9c11",
        "action": "openLong",
        "fixed": "0.015",
        "log": "fan-out",
        "clientOrderId": f"bench-{number}",
    }


def run_once(contender: Contender, sink: str, signals: int, folder: Path, start: int) -> Result:
    """One worker from cold: warmed up with a few signals, then measured over ``signals``."""
    with contender.start(folder / f"{contender.name}-{start}.log") as worker:
        contender.send(WARM_UP, start)
        _arrived(sink, WARM_UP)
        process = psutil.Process(worker.pid)
        process.suspend()
        contender.send(signals, start + WARM_UP)
        before, began = _cpu(process), time.perf_counter()
        process.resume()
        _arrived(sink, WARM_UP + signals)
        seconds, cpu = time.perf_counter() - began, _cpu(process) - before
    count = json.loads(fetch(sink)[1])
    if count != {"posts": WARM_UP + signals, "distinct": WARM_UP + signals}:
        sys.exit(f"{contender.name}: not every signal arrived once: {count}")
    fetch_delete(sink)
    return Result(contender.name, signals, cpu / signals * 1e6, signals / seconds)


def contenders(server: Server, sink: str) -> list[Contender]:
    settings = Settings(redis_url=server.url, prefix="bench:", entry_expiry=3600)
    producer = SignalProducer(settings=settings)
    naive.app.conf.broker_url = server.url
    environment = {"BENCH_REDIS_URL": server.url, "BENCH_SINK_URL": f"{sink}/trading-signal/webhook"}

    def start_ours(log: Path) -> Process:
        return start_worker(
            server.url,
            f"{sink}/trading-signal/webhook",
            log,
            prefix="bench:",
            threads=THREADS,
            entry_expiry=3600,
            log_level="warning",
        )[0]

    def start_naive(log: Path) -> Process:
        command = [
            *(sys.executable, "-m", "celery", "-A", "benchmarks.contenders.naive", "worker"),
            *("-P", "threads", "-c", str(THREADS), "--without-gossip", "--without-mingle", "-l", "warning"),
        ]
        return Process(command, log, environment)

    def send_ours(count: int, start: int) -> None:
        producer.send([message(number) for number in range(start, start + count)])

    def send_naive(count: int, start: int) -> None:
        for number in range(start, start + count):
            naive.post.delay(message(number))

    return [
        Contender("signal-worker", start_ours, send_ours),
        Contender("naive Celery task", start_naive, send_naive),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--signals", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/fanout.json"))
    options = parser.parse_args()
    results: list[Result] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="signals-bench-")))
        server = stack.enter_context(Server(folder / "server"))
        port = free_port()
        stack.enter_context(
            Process([sys.executable, "-m", "benchmarks.sink", str(port)], folder / "sink.log", {})
        )
        sink = f"http://127.0.0.1:{port}"
        eventually(lambda: fetch(sink)[0] == 200, within=10, what="the sink answers")
        everyone = contenders(server, sink)
        for number in range(options.rounds):
            for contender in everyone:
                start = number * (options.signals + WARM_UP)
                results.append(run_once(contender, sink, options.signals, folder, start))
                print(_line(results[-1]), flush=True)
    report(results)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps([vars(one) for one in results], indent=2) + "\n")


def report(results: list[Result]) -> None:
    """Medians with their spread, and the ratio to the first contender."""
    names = list(dict.fromkeys(one.contender for one in results))
    medians = {
        name: statistics.median(one.cpu_us for one in results if one.contender == name) for name in names
    }
    print(f"\n{'median of rounds':20} {'CPU µs/signal':>14} {'(min-max)':>12} {'ratio':>6}")
    for name in names:
        costs = [one.cpu_us for one in results if one.contender == name]
        spread = f"{min(costs):.0f}-{max(costs):.0f}"
        print(f"{name:20} {medians[name]:14.0f} {spread:>12} {medians[name] / medians[names[0]]:6.2f}")


def fetch_delete(sink: str) -> None:
    urllib.request.urlopen(urllib.request.Request(sink, method="DELETE"), timeout=5).close()


def _line(one: Result) -> str:
    return f"{one.contender:20} {one.cpu_us:8.0f} µs CPU per signal, {one.per_second:7.0f} signals/s"


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _arrived(sink: str, count: int) -> None:
    eventually(
        lambda: json.loads(fetch(sink)[1]).get("posts", 0) >= count,
        within=120,
        what=f"{count} signals arrive",
        pause=0.05,
    )


if __name__ == "__main__":
    main()
