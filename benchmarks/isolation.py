"""Isolation: how much longer 99 accounts wait while the endpoint hangs for one of them.

    make bench-isolation         4 rounds undisturbed, 4 with a hanging account, in turns, one worker
    python -m benchmarks.isolation --signals 4000 --rounds 6 --json results.json

Latency is the time from admission to the arrival at the endpoint. Signals are sent at an even pace below what
the worker can do, so that it shows waiting for others and not one's own queue.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from demo.stack import Server, eventually, start_worker
from producers import SignalProducer
from worker.paper import Mischief, PaperServer
from worker.settings import Settings

AIM = 2.0
"""The disturbed p99 divided by the undisturbed."""
TROUBLED, OTHERS = "account 0", 99
PACE = 0.01
"""Seconds between two signals."""
DEADLINE = 5.0
CALM, HANGING = "undisturbed", "one hangs"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--signals", type=int, default=500, help="per round")
    parser.add_argument("--rounds", type=int, default=4, help="of each kind")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/isolation.json"))
    options = parser.parse_args()
    waits = measure(options.signals, options.rounds)
    report(waits)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(
        json.dumps({kind: [round(one, 6) for one in found] for kind, found in waits.items()}) + "\n"
    )


def measure(signals: int, rounds: int) -> dict[str, list[float]]:
    """Sorted latencies of both kinds of rounds; ends the program if a signal was lost or doubled."""
    waits: dict[str, list[float]] = {CALM: [], HANGING: []}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="signals-bench-")))
        server = stack.enter_context(Server(folder / "server"))
        paper = stack.enter_context(PaperServer())
        settings = {"prefix": "bench:", "deadline": DEADLINE, "log_level": "warning"}
        stack.enter_context(
            start_worker(server.url, paper.webhook_url, folder / "worker.log", **settings)[0]  # type: ignore[arg-type]
        )
        producer = stack.enter_context(
            SignalProducer(settings=Settings(redis_url=server.url, prefix="bench:"))
        )
        _round(paper, producer, signals, "warm-up")
        for number in range(rounds):
            waits[CALM] += _round(paper, producer, signals, f"calm-{number}")
            with _hanging(paper, producer, f"hang-{number}", signals * PACE + DEADLINE):
                waits[HANGING] += _round(paper, producer, signals, f"disturbed-{number}")
    return {kind: sorted(found) for kind, found in waits.items()}


@contextmanager
def _hanging(paper: PaperServer, producer: SignalProducer, name: str, seconds: float) -> Iterator[None]:
    """The troubled account has a POST open that is not answered, one after the other for ``seconds``."""
    paper.reset()
    paper.mischief = Mischief.from_text(f"hang:connector={TROUBLED},seconds=60")
    count = int(seconds / DEADLINE) + 2
    producer.send([_signal(TROUBLED, f"{name}-{number}") for number in range(count)])
    paper.wait_for_receipts(1)
    yield
    if len(paper.receipts) == 0 or not any(not one.answered for one in paper.receipts):
        sys.exit("nothing did hang")
    paper.mischief = Mischief()
    eventually(
        lambda: sum(one.connector == TROUBLED for one in paper.receipts) >= count,
        within=60,
        what="the hanging account is through",
    )


def _round(paper: PaperServer, producer: SignalProducer, signals: int, name: str) -> list[float]:
    """Send at an even pace to the 99; seconds from admission to arrival of each."""
    sent_at: dict[str, float] = {}
    begin = time.time()
    for number in range(signals):
        time.sleep(max(0.0, begin + number * PACE - time.time()))
        order = f"{name}-{number}"
        sent_at[order] = time.time()
        producer.send(_signal(f"account {1 + number % OTHERS}", order))

    def arrivals() -> dict[str, float]:
        return {str(one.client_order_id): one.received_at for one in paper.receipts}

    eventually(lambda: sent_at.keys() <= arrivals().keys(), within=60, what="all arrive", pause=0.1)
    if sum(one.client_order_id in sent_at for one in paper.receipts) != signals:
        sys.exit("a signal arrived twice")
    return [arrivals_at - sent_at[order] for order, arrivals_at in arrivals().items() if order in sent_at]


def report(waits: dict[str, list[float]]) -> None:
    """Percentiles in milliseconds, and the ratio of the p99s."""
    for kind, found in waits.items():
        shown = "  ".join(
            f"{name} {_percentile(found, mark) * 1000:5.1f} ms"
            for name, mark in {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}.items()
        )
        print(f"{kind:12} {len(found):6} signals  {shown}")
    ratio = _percentile(waits[HANGING], 0.99) / _percentile(waits[CALM], 0.99)
    print(f"p99 of the 99 while one hangs / undisturbed: {ratio:.2f} (aim: at most {AIM:g})")


def _percentile(values: Sequence[float], mark: float) -> float:
    return values[min(len(values) - 1, int(mark * len(values)))]


def _signal(connector: str, order: str) -> dict[str, object]:
    return {
        "connectorName": connector,
        "connectorToken": "3f0c1a52-7e0b-4f1e-9d0e-3f1f7a2b9c11",
        "action": "sell",
        "fixed": "1",
        "clientOrderId": order,
    }


if __name__ == "__main__":
    main()
