"""Each alert in the situation that it is for: real processes, a real Prometheus, and time that flies.

Durations in the rules are 600 times shorter here, and some thresholds lower; conditions are the same.
``test_alerts.py`` holds the true ones against made-up series.
"""

from __future__ import annotations

import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import redis

from chaos.launch import WrongClock, faketime_library
from demo.stack import Process, Server, cli, eventually, free_port, start_gateway, start_worker
from monitoring.rules import plain
from producers import SignalProducer
from tests.monitoring.conftest import Watched, start_prometheus
from worker.errors import SignalsError
from worker.lanes import Lanes
from worker.lanes.pauses import scopes
from worker.lanes.redis import connect
from worker.paper import PaperServer
from worker.paper.mischief import Mischief
from worker.settings import Settings

FASTER = 600
LEAST_RANGE = 3.0
"""Seconds in which Prometheus has scraped often enough to tell a rate."""
SECONDS = {"m": 60, "h": 3600, "d": 86_400}
THRESHOLDS = {"oldestDueSeconds": 1.5, "lostRingSeconds": 1.5, "lateSeconds": 1.5, "gatewaySeconds": 0.5}
MISCHIEF = ("reset:connector=unknown-*", "400:connector=refused-*", "hang:connector=hangs-*,seconds=60")
THREADS = 16
SETTINGS: dict[str, object] = {
    "threads": THREADS,
    "deadline": 6.0,
    "lease": 11.0,
    "entry_expiry": 600,
    "lane_limit": 100,
    "circuit_connectors": 60,
    "metrics_connectors": "all",
}


@dataclass
class Stack:
    """The parts, and what one can do to them."""

    folder: Path
    server: Server
    paper: PaperServer
    producer: SignalProducer
    accounts: Path
    gateway: str
    workers: list[Process]
    doors: list[Process]
    watched: Watched
    skewed_port: int
    numbers: Iterator[int] = field(default_factory=count)

    def send(self, connector: str, action: str = "openLong", **fields: object) -> None:
        order = {"connectorName": connector, "connectorToken": "token-for-tests", "action": action, **fields}
        self.producer.send({"clientOrderId": f"n-{next(self.numbers)}", "fixed": "1", **order})

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.server.port, decode_responses=True)

    def firing(self, alert: str | None = None) -> list[dict[str, Any]]:
        chosen = f',alertname="{alert}"' if alert else ""
        return self.watched.ask(f'ALERTS{{alertstate="firing"{chosen}}}')


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("situations")
    rules = []
    for name, text in plain(THRESHOLDS).items():
        rules.append(folder / name)
        rules[-1].write_text(faster(text))
    accounts = folder / "accounts.yaml"
    accounts.write_text("accounts:\n  - name: BTC Trend\n")
    with ExitStack() as parts:
        server = parts.enter_context(Server(folder / "server"))
        paper = parts.enter_context(PaperServer(mischief=Mischief.from_text(*MISCHIEF)))
        worker, page = start_worker(
            server.url, paper.webhook_url, folder / "worker.log", accounts_file=accounts, **SETTINGS
        )
        parts.enter_context(worker)
        inside = free_port()
        gateway, door = start_gateway(
            server.url, folder / "gateway.log", gateway_open="true", gateway_metrics_port=inside
        )
        parts.enter_context(gateway)
        skewed_port = free_port()
        jobs = {
            "worker": [page, f"http://127.0.0.1:{skewed_port}"],
            "gateway": [f"http://127.0.0.1:{inside}"],
        }
        watched = Watched(start_prometheus(parts, folder, jobs, rules), [page])
        producer = parts.enter_context(
            SignalProducer(settings=Settings(redis_url=server.url, lane_limit=100))
        )
        stack = Stack(
            folder, server, paper, producer, accounts, door, [worker], [gateway], watched, skewed_port
        )
        parts.enter_context(good_weather(stack))
        yield stack


def faster(rules: str) -> str:
    """Rules whose durations are shorter; ranges stay long enough for a rate."""

    def range_of(found: re.Match[str]) -> str:
        seconds = max(LEAST_RANGE, int(found[2]) * SECONDS[found[3]] / FASTER)
        return f"{found[1]}{round(seconds * 1000)}ms"

    def hold(found: re.Match[str]) -> str:
        return f"for: {round(int(found[1]) * SECONDS[found[2]] / FASTER * 1000)}ms"

    rules = re.sub(r"(\[|offset )(\d+)([mhd])", range_of, rules)
    return re.sub(r"for: (\d+)([mhd])", hold, rules)


@contextmanager
def good_weather(stack: Stack) -> Iterator[None]:
    """Signals that go well, until the end."""
    over = threading.Event()

    def send() -> None:
        while not over.wait(0.1):
            with suppress(SignalsError):
                stack.send("steady")

    thread = threading.Thread(target=send)
    thread.start()
    yield
    over.set()
    thread.join()


def test_all_is_well(stack: Stack) -> None:
    # given: long enough for all but those that look back for days, and nothing of the start in sight
    scraped = 'min(count_over_time(up{job="gateway"}[10m])) >= 30'
    posted = "sum(increase(signals_ended_total[5s])) > 20"
    eventually(
        lambda: stack.watched.ask(f"{scraped} and {posted}"), within=60, what="good weather", pause=0.2
    )
    # then
    assert stack.watched.ask('max_over_time(ALERTS{alertstate="firing"}[10s])') == []


def orders_of_unknown_fate(stack: Stack) -> None:
    for number in range(12):
        stack.send(f"unknown-{number}")


def exits_are_refused(stack: Stack) -> None:
    for number in range(25):
        stack.send(f"refused-{number}", "closeLong", fixed=None)


def one_id_for_two_orders(stack: Stack) -> None:
    for size in ("1", "2"):
        stack.send("twofold", fixed=size, clientOrderId="one")


def invalid_signals(stack: Stack) -> None:
    for _ in range(25):
        post(stack, b'{"connectorName": "steady", "connectorToken": "t", "action": "opneLong"}')


def a_connector_falls_silent(stack: Stack) -> None:
    stack.send("talkative")
    seen = 'sum(signals_connector_outcomes_total{connector="talkative"}) > 0'
    eventually(lambda: stack.watched.ask(seen), within=20, what="it is known", pause=0.2)
    for _ in range(60):
        stack.send("talkative")


def a_file_is_spoilt(stack: Stack) -> None:
    good = stack.accounts.read_text()
    stack.accounts.write_text("accounts: [")
    expect(stack, "SignalsReloadFailing")
    stack.accounts.write_text(good)


def a_wrong_clock(stack: Stack) -> None:
    library = faketime_library()
    assert library is not None, "faketime is not installed: apt-get install faketime"
    command, environment = WrongClock(library, "+2m").given_to(cli("worker", "run"))
    settings = {
        "redis_url": stack.server.url,
        "endpoint_url": stack.paper.webhook_url,
        "metrics_port": stack.skewed_port,
        **SETTINGS,
    }
    environment |= {f"SIGNALS_{name.upper()}": str(value) for name, value in settings.items()}
    skewed = Process(command, stack.folder / "skewed.log", environment)
    try:
        expect(stack, "SignalsClockSkew")
    finally:
        skewed.stop()


def a_pause_is_forgotten(stack: Stack) -> None:
    with connect(stack.server.url) as client:
        lanes = Lanes(client, prefix="signals:")
        held = scopes(["held"], entries_only=False)
        lanes.pause(held, label="held", by="test")
        for _ in range(110):
            stack.send("held")
        try:
            expect(stack, "SignalsRefusedFull", "SignalsPaused")
        finally:
            lanes.resume(held, label="held", by="test")
    expect(stack, "SignalsLate")


def redis_is_set_up_badly(stack: Stack) -> None:
    with stack.client() as client:
        client.config_set("maxmemory", int(client.info("memory")["used_memory"] / 0.9))
        client.config_set("appendonly", "no")
        expect(stack, "SignalsRedisMemory", "SignalsRedisNoAppendOnly")
        client.config_set("maxmemory", int(client.info("memory")["used_memory"] * 0.9))
        expect(stack, "SignalsRedisRefusing")
        client.config_set("maxmemory", 0)
        client.config_set("maxmemory-policy", "allkeys-lru")
        expect(stack, "SignalsRedisEvicting")
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("appendonly", "yes")
        client.config_set("min-replicas-to-write", 1)
        expect(stack, "SignalsNoSweep")
        client.config_set("min-replicas-to-write", 0)


def redis_forgets(stack: Stack) -> None:
    with stack.client() as client:
        client.flushall()


def nothing_comes_back(stack: Stack) -> None:
    for number in range(3 * THREADS):
        stack.send(f"hangs-{number}")


def the_endpoint_is_gone(stack: Stack) -> None:
    stack.paper.stop()
    for number in range(80):
        stack.send(f"cut-off-{number}")


def redis_is_gone(stack: Stack) -> None:
    stack.server.kill()
    post_until = threading.Event()

    def knock() -> None:
        while not post_until.is_set():
            post(stack, b'{"connectorName": "steady", "connectorToken": "t", "action": "closeLong"}')

    thread = threading.Thread(target=knock)
    thread.start()
    try:
        expect(stack, "SignalsRedisDown", "SignalsGatewayErrors", "SignalsGatewaySlow")
    finally:
        post_until.set()
        thread.join()
        stack.server.start()


def all_processes_die(stack: Stack) -> None:
    for process in (*stack.workers, *stack.doors):
        process.kill()


Situation = Callable[[Stack], None]
SITUATIONS: dict[Situation, tuple[str, ...]] = {
    orders_of_unknown_fate: ("SignalsUnknownOutcomes", "SignalsErrorBudgetBurn"),
    exits_are_refused: ("SignalsFailedExits", "SignalsDeadLettersRising"),
    one_id_for_two_orders: ("SignalsConflicts",),
    invalid_signals: ("SignalsInvalidRising",),
    a_connector_falls_silent: ("SignalsConnectorSilent",),
    a_file_is_spoilt: ("SignalsReloadFailing",),
    a_wrong_clock: ("SignalsClockSkew",),
    a_pause_is_forgotten: ("SignalsRefusedFull", "SignalsPaused", "SignalsLate"),
    redis_is_set_up_badly: (
        "SignalsRedisMemory",
        "SignalsRedisNoAppendOnly",
        "SignalsRedisRefusing",
        "SignalsRedisEvicting",
        "SignalsNoSweep",
    ),
    redis_forgets: ("SignalsLedgerLost",),
    nothing_comes_back: ("SignalsNoOutcomes", "SignalsLanesStuck", "SignalsOldestDueTooOld"),
    the_endpoint_is_gone: ("SignalsCircuitOpen",),
    redis_is_gone: ("SignalsRedisDown", "SignalsGatewayErrors", "SignalsGatewaySlow"),
    all_processes_die: ("SignalsWorkerAbsent", "SignalsGatewayAbsent"),
}
"""In this order; what each brings about."""


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda one: one.__name__)
def test_a_situation(stack: Stack, situation: Situation) -> None:
    # given
    expected = SITUATIONS[situation]
    assert [one for one in expected if stack.firing(one)] == []
    # when, then
    watch = threading.Thread(target=situation, args=(stack,))
    watch.start()
    try:
        expect(stack, *expected)
    finally:
        watch.join()


def test_each_alert_has_its_situation() -> None:
    alerts = set(re.findall(r"alert: (\w+)", plain()["alerts.yaml"]))
    assert {alert for expected in SITUATIONS.values() for alert in expected} == alerts


def expect(stack: Stack, *alerts: str) -> None:
    """Wait until each of them has fired since it was last looked for, at once or one after the other."""
    left = set(alerts)

    def all_fired() -> bool:
        left.difference_update({one["metric"]["alertname"] for one in stack.firing()})
        return not left

    try:
        eventually(all_fired, within=60, what="alerts fire", pause=0.2)
    finally:
        assert left == set()


def post(stack: Stack, body: bytes) -> None:
    """Give the gateway a message, whatever it answers."""
    request = urllib.request.Request(f"{stack.gateway}/trading-signal/webhook", body)
    with suppress(OSError), urllib.request.urlopen(request, timeout=10):
        pass
