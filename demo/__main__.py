"""A complete stack, a day's traffic, and a check of every signal. ``make demo`` runs it.

Exits 0 only if everything that happened is what should have happened.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from demo.judge import Sent, judge
from demo.report import show
from demo.stack import Process, Server, cli, eventually, fetch, free_port, start_worker
from demo.traffic import MISCHIEF, Step, a_day
from producers import SignalProducer
from worker.errors import SignalsError
from worker.lanes.redis import connect
from worker.lanes.register import Register
from worker.settings import Settings

PREFIX = "demo:"
WORKERS = 2


def main() -> None:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--all", action="store_true", help="show every signal, not only the special ones")
    parser.add_argument("--svg", type=Path, help="write a picture of the output to this file")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the parts are stopped
    console = Console(record=bool(options.svg))
    if options.svg or not console.is_terminal:
        console.width = 110
    try:
        good = run(console, everything=options.all)
    except SignalsError as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        sys.exit("demo: stopped")
    if options.svg:
        picture = console.export_svg(title="make demo")
        # No fonts from elsewhere: a picture in a README should ask nobody for anything.
        options.svg.write_text(re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL), "utf-8")
    sys.exit(0 if good else 1)


def run(console: Console, *, everything: bool) -> bool:
    """Start everything, send the day, judge it, stop everything; whether all was well."""
    started = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="signals-demo-")))
        server = stack.enter_context(Server(folder / "server"))
        endpoint = _start_endpoint(stack, folder)
        console.print(f"[dim]Valkey    {server.url}[/]")
        console.print(f"[dim]endpoint  {endpoint} (paper, misbehaving a little)[/]")
        workers = [
            stack.enter_context(
                start_worker(
                    server.url,
                    f"{endpoint}/trading-signal/webhook",
                    folder / f"worker-{n}.log",
                    prefix=PREFIX,
                )[0]
            )
            for n in range(WORKERS)
        ]
        console.print(f"[dim]workers   {', '.join(str(one.pid) for one in workers)}[/]\n")
        client = stack.enter_context(connect(server.url))
        register = Register(client, prefix=PREFIX)
        settings = Settings(redis_url=server.url, prefix=PREFIX)
        producer = stack.enter_context(SignalProducer(settings=settings))
        sent = _send_the_day(console, producer, register)
        outcomes = {one.id: outcome for one in sent if one.id and (outcome := _outcome(register, one.id))}
        receipts = json.loads(fetch(f"{endpoint}/receipts?limit=100000")[1])["receipts"]
        lines, faults = judge(sent, receipts, outcomes)
        show(console, lines, faults, everything=everything)
        codes = [one.stop() for one in workers]
    console.print(f"[dim]{time.monotonic() - started:.1f} s; everything is stopped again.[/]")
    if any(codes):
        console.print(f"[bold red]✗[/] workers ended with {codes}")
    return not (faults or any(line.faults for line in lines) or any(codes))


def _start_endpoint(stack: ExitStack, folder: Path) -> str:
    port = free_port()
    rules = [part for rule in MISCHIEF for part in ("--mischief", rule)]
    command = cli("worker", "paper", "--port", str(port), "--seed", "7", "--latency", "0.001:0.05", *rules)
    stack.enter_context(Process(command, folder / "paper.log", {}))
    address = f"http://127.0.0.1:{port}"
    eventually(lambda: fetch(f"{address}/healthz")[0] == 200, within=15, what="the paper endpoint answers")
    return address


def _send_the_day(console: Console, producer: SignalProducer, register: Register) -> list[Sent]:
    waves = a_day()
    sent: list[Sent] = []
    columns = (TextColumn("{task.description:9}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console) as progress:
        total = sum(map(len, waves))
        bars = {name: progress.add_task(name, total=total) for name in ("sent", "ended")}
        for wave in waves:
            sent += _send(producer, wave)
            progress.update(bars["sent"], completed=len(sent))
            watch = _Watch(
                register, tuple(sent), lambda ended: progress.update(bars["ended"], completed=ended)
            )
            eventually(watch.all_ended, within=60, what="every signal has ended", pause=0.1)
    return sent


@dataclass(frozen=True)
class _Watch:
    register: Register
    sent: tuple[Sent, ...]
    tell: Callable[[int], object]

    def all_ended(self) -> bool:
        ended = sum(one.id is None or _outcome(self.register, one.id) is not None for one in self.sent)
        self.tell(ended)
        return ended == len(self.sent)


def _send(producer: SignalProducer, wave: Sequence[Step]) -> list[Sent]:
    at = time.time()
    receipts = producer.send([step.message() for step in wave])
    return [
        Sent(step, at, receipt.status.value, receipt.id) for step, receipt in zip(wave, receipts, strict=True)
    ]


def _outcome(register: Register, signal_id: str) -> str | None:
    view = register.find(signal_id)
    return (view.outcome or None) if view else None


if __name__ == "__main__":
    main()
