"""Delays: how late signals start that waited, many at a time.

    make bench-delays            2,000 signals with delays of 0.2 to 3 s, one worker
    python -m benchmarks.delays --signals 5000 --json results.json

Lateness is the time from sending plus delay to the arrival at the endpoint, so it includes admission, the
countdown's slot, the ring, the POST and the endpoint's own reading of it.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from demo.stack import Server, eventually, start_worker
from producers import SignalProducer
from worker.paper import PaperServer
from worker.settings import Settings

AIM = 0.25
"""Seconds within which 99 of 100 should start."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--signals", type=int, default=2000)
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/delays.json"))
    options = parser.parse_args()
    lateness = measure(options.signals)
    report(lateness)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps([round(one, 6) for one in lateness]) + "\n")


def measure(signals: int) -> list[float]:
    """Seconds each signal was late, sorted; ends the program if one was early, lost or doubled."""
    chance = random.Random(1)
    delays = {f"d-{number}": round(chance.uniform(0.2, 3.0), 3) for number in range(signals)}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="signals-bench-")))
        server = stack.enter_context(Server(folder / "server"))
        paper = stack.enter_context(PaperServer())
        stack.enter_context(
            start_worker(
                server.url, paper.webhook_url, folder / "worker.log", prefix="bench:", log_level="warning"
            )[0]
        )
        producer = stack.enter_context(
            SignalProducer(settings=Settings(redis_url=server.url, prefix="bench:"))
        )
        sent_at: dict[str, float] = {}
        names = list(delays)
        for start in range(0, signals, 100):
            batch = names[start : start + 100]
            sent_at |= dict.fromkeys(batch, time.time())
            producer.send([_signal(name, delays[name]) for name in batch])
        eventually(lambda: len(paper.receipts) >= signals, within=60, what="all arrive", pause=0.2)
        arrived = {str(one.client_order_id): one.received_at for one in paper.receipts}
        if len(paper.receipts) != len(arrived) or set(arrived) != set(delays):
            sys.exit(f"{len(paper.receipts)} arrivals of {len(arrived)} signals: not each once")
    lateness = sorted(arrived[name] - sent_at[name] - delays[name] for name in delays)
    if lateness[0] < 0:
        sys.exit(f"early by {-lateness[0]:.3f} s")
    return lateness


def report(lateness: Sequence[float]) -> None:
    """Percentiles, in milliseconds."""
    within = sum(one <= AIM for one in lateness) / len(lateness)
    marks = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    shown = "  ".join(f"{name} {_percentile(lateness, mark) * 1000:.0f} ms" for name, mark in marks.items())
    print(f"{len(lateness)} delayed signals, each once, none early.  lateness  {shown}")
    print(f"within {AIM * 1000:.0f} ms: {within:.1%} (aim: 99 %)")


def _percentile(values: Sequence[float], mark: float) -> float:
    return values[min(len(values) - 1, int(mark * len(values)))]


def _signal(name: str, delay: float) -> dict[str, object]:
    return {
        "connectorName": f"account {name[-2:]}",
        "connectorToken": "3f0c1a52-7e0b-4f1e-9d0e-3f1f7a2b9c11",
        "action": "buy",
        "fixed": "1",
        "clientOrderId": name,
        "delaySeconds": delay,
    }


if __name__ == "__main__":
    main()
