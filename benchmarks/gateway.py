"""The gateway beside bare FastAPI routes that only parse the same body.

    make bench-gateway           3 rounds of 4 s
    python -m benchmarks.gateway --rounds 5 --seconds 8 --json results.json

Every server runs alone on the first core; the load generator (raw sockets, keep-alive) and the gateway's
Redis share the second. Rounds are interleaved: compare within one run.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.server import serve
from demo.stack import Process, cli, eventually, fetch, free_port

CONNECTIONS = 64
CALM_RATE = 200
CONNECTORS = 1000
_orders = itertools.count()


@dataclass(frozen=True)
class Contender:
    name: str
    process: Process
    port: int
    path: str


@dataclass(frozen=True)
class Result:
    """One contender in one round. Milliseconds but for ``per_second`` and ``cpu_us``."""

    contender: str
    per_second: float
    busy_p50: float
    busy_p99: float
    calm_p50: float
    calm_p99: float
    cpu_us: float
    """User and system time of the server process per request under full load."""


def request(path: str, port: int) -> bytes:
    number = next(_orders)
    body = json.dumps({
        "connectorName": f"account {number % CONNECTORS}",
        "connectorToken": "3f0c1a52-7e0b-4f1e-9d0e-3f1f7a2b9c11",
        "action": "openLong",
        "fixed": "0.015",
        "log": "gateway",
        "clientOrderId": f"bench-{number}",
    }).encode()  # fmt: skip
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Client(asyncio.Protocol):
    """One connection that has one request under way at a time."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._buffer.endswith(b"\r\n\r\nok") and self.answer is not None:
            buffer, self._buffer = self._buffer, b""
            self.answer.set_result(buffer)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(ConnectionError(f"closed: {self._buffer[:200]!r}"))

    async def ask(self, data: bytes) -> float:
        """Seconds until the answer is there."""
        self.answer = asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        self._transport.write(data)  # type: ignore[attr-defined]
        if not (await asyncio.wait_for(self.answer, 10)).startswith(b"HTTP/1.1 200"):
            sys.exit("an answer that is not ok")
        return time.perf_counter() - began


async def connect(contender: Contender, count: int) -> list[Client]:
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(Client, "127.0.0.1", contender.port))[1] for _ in range(count)]


async def busy(contender: Contender, seconds: float) -> list[float]:
    """As much as it takes over ``CONNECTIONS`` connections."""
    end = time.perf_counter() + seconds

    async def work(client: Client) -> list[float]:
        taken = []
        while time.perf_counter() < end:
            taken.append(await client.ask(request(contender.path, contender.port)))
        return taken

    clients = await connect(contender, CONNECTIONS)
    return [one for part in await asyncio.gather(*map(work, clients)) for one in part]


async def calm(contender: Contender, seconds: float) -> list[float]:
    """``CALM_RATE`` requests per second, whether or not the earlier ones are answered."""
    free = await connect(contender, CONNECTIONS)
    began, taken = time.perf_counter(), []

    async def one(client: Client) -> None:
        taken.append(await client.ask(request(contender.path, contender.port)))
        free.append(client)

    tasks = []
    for number in range(int(seconds * CALM_RATE)):
        await asyncio.sleep(max(0.0, began + number / CALM_RATE - time.perf_counter()))
        while not free:
            await asyncio.sleep(0.001)  # it is behind: counted against it below
        tasks.append(asyncio.create_task(one(free.pop(0))))
    await asyncio.gather(*tasks)
    return taken


def run_once(contender: Contender, seconds: float) -> Result:
    process = psutil.Process(contender.process.pid)
    asyncio.run(busy(contender, 0.5))
    before, began = _cpu(process), time.perf_counter()
    full = asyncio.run(busy(contender, seconds))
    elapsed, cpu = time.perf_counter() - began, _cpu(process) - before
    easy = asyncio.run(calm(contender, seconds))
    return Result(
        contender.name,
        per_second=len(full) / elapsed,
        busy_p50=_quantile(full, 50),
        busy_p99=_quantile(full, 99),
        calm_p50=_quantile(easy, 50),
        calm_p99=_quantile(easy, 99),
        cpu_us=cpu / len(full) * 1e6,
    )


def contenders(stack: ExitStack, folder: Path) -> Iterator[Contender]:
    """Servers that are ready, each on the first core."""
    server = stack.enter_context(serve(folder / "server", appendonly=False))
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "benchmarks.contenders.bare:app", "--port", str(port)]
    bare = stack.enter_context(
        Process([*command, "--no-access-log", "--log-level", "warning"], folder / "bare.log", {})
    )
    yield _ready(Contender("FastAPI, a model", bare, port, "/model"), "/docs")
    yield Contender("FastAPI, request.json()", bare, port, "/lean")
    port = free_port()
    environment = {
        "SIGNALS_REDIS_URL": server.url,
        "SIGNALS_GATEWAY_OPEN": "true",
        "SIGNALS_GATEWAY_PORT": str(port),
        "SIGNALS_GATEWAY_METRICS_PORT": "0",
        "SIGNALS_GATEWAY_CONNECTOR_RATE": "1000000",
        "SIGNALS_LANE_LIMIT": "0",
    }
    gateway = stack.enter_context(Process(cli("producers", "gateway"), folder / "gateway.log", environment))
    yield _ready(Contender("gateway webhook", gateway, port, "/trading-signal/webhook"), "/readyz")


def _ready(contender: Contender, path: str) -> Contender:
    url = f"http://127.0.0.1:{contender.port}{path}"
    eventually(lambda: fetch(url)[0] == 200, within=30, what=f"{contender.name} answers")
    process = psutil.Process(contender.process.pid)
    with suppress(AttributeError, OSError):  # where there is no affinity, or one core only
        for thread in process.threads():
            psutil.Process(thread.id).cpu_affinity([0])
        process.cpu_affinity([0])
    return contender


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/gateway.json"))
    options = parser.parse_args()
    results: list[Result] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="signals-bench-")))
        with suppress(AttributeError, OSError):
            psutil.Process().cpu_affinity([1])  # Redis inherits it
        everyone = list(contenders(stack, folder))
        for _ in range(options.rounds):
            for contender in everyone:
                results.append(run_once(contender, options.seconds))
                print(_line(results[-1]), flush=True)
    report(results)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps([vars(one) for one in results], indent=2) + "\n")


def report(results: list[Result]) -> None:
    """Medians of the rounds, with the spread of the throughput and its ratio to the first contender."""
    names = list(dict.fromkeys(one.contender for one in results))
    heads = ("median of rounds", "signals/s", "(min-max)", "ratio", "CPU us", "ratio", "calm p50", "p99 ms")
    print("\n{:24} {:>9} {:>13} {:>6} {:>6} {:>6} {:>9} {:>7}".format(*heads))
    cost = statistics.median(one.cpu_us for one in results if one.contender == names[0])
    first = statistics.median(one.per_second for one in results if one.contender == names[0])
    for name in names:
        mine = [one for one in results if one.contender == name]
        rates = [one.per_second for one in mine]
        rate = statistics.median(rates)
        p50, p99 = (statistics.median(getattr(one, f"calm_p{q}") for one in mine) for q in (50, 99))
        spread = f"{min(rates):.0f}-{max(rates):.0f}"
        cpu = statistics.median(one.cpu_us for one in mine)
        print(
            f"{name:24} {rate:9.0f} {spread:>13} {rate / first:6.2f}"
            f" {cpu:6.0f} {cost / cpu:6.2f} {p50:9.2f} {p99:7.2f}"
        )


def _line(one: Result) -> str:
    return (
        f"{one.contender:24} {one.per_second:7.0f}/s, {one.cpu_us:4.0f} µs CPU each,"
        f" p50/p99 {one.busy_p50:.1f}/{one.busy_p99:.1f} ms; calm {one.calm_p50:.2f}/{one.calm_p99:.2f} ms"
    )


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _quantile(seconds: list[float], percent: int) -> float:
    return sorted(seconds)[min(len(seconds) - 1, len(seconds) * percent // 100)] * 1000


if __name__ == "__main__":
    main()
