"""What a signal costs, counted instead of timed: a slow machine fails none of these, a wasteful change does.

Each bound is what was counted when it was written, and a little. Who needs more says why by raising it; who
needs less lowers it. `make bench` tells what these counts cost in time.
"""

from __future__ import annotations

import cProfile
import itertools
import pstats
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis
from prometheus_client import CollectorRegistry

from producers import SignalProducer
from producers.admission import Draft, Prepared, prepare
from tests.integration.desk import Desk, signal
from worker.compose import Composer
from worker.delivery import Courier
from worker.events import Observers
from worker.handling import Handler, Job, Pace
from worker.lanes import Head, Settlement, Timing
from worker.lanes.register import Register
from worker.logs import LogObserver
from worker.metrics import LedgerCollector, Metrics
from worker.paper import PaperServer
from worker.records import Outcome
from worker.settings import Settings

SIGNALS = 64
SCRIPT_CALLS = "evalsha"
RINGS = "lpush"
CONNECTION = {"multi", "exec", "ping", "eval"}
"""What kombu or a second round trip would need."""


class Count(dict[str, int]):
    """Commands by name."""

    def each(self) -> float:
        """Commands that scripts ran per signal."""
        return sum(calls for name, calls in self.items() if name not in (SCRIPT_CALLS, "info")) / SIGNALS


@contextmanager
def counted(client: redis.Redis) -> Iterator[Count]:
    """Filled in at the end with the commands that the server ran meanwhile, those of scripts too."""
    count, before = Count(), _commands(client)
    yield count
    for name, calls in _commands(client).items():
        if calls > before.get(name, 0):
            count[name] = calls - before.get(name, 0)


def _commands(client: redis.Redis) -> dict[str, int]:
    stats = client.info("commandstats")
    return {name.removeprefix("cmdstat_"): int(one["calls"]) for name, one in stats.items()}


@pytest.fixture
def desk(client: redis.Redis, prefix: str) -> Desk:
    desk = Desk(client, prefix, Timing())
    desk.admit(signal("warm-up"))  # scripts are loaded, and the server's clock is known
    desk.head("warm-up")
    return desk


def heads(desk: Desk, lanes: list[str], token: str) -> tuple[Head, ...]:
    found = desk.lanes.checkout(lanes, token).heads
    assert len(found) == len(lanes)
    return found


def names() -> list[str]:
    return [f"acct-{number}" for number in range(SIGNALS)]


def test_a_signal_to_an_idle_account_costs_few_commands(desk: Desk) -> None:
    # Given as many signals as accounts
    batch = [signal(name, order_id="o", drops=None) for name in names()]

    # When they go through the queue in full batches
    with counted(desk.client) as admitting:
        desk.admit(*batch)
    with counted(desk.client) as taking:
        taken = heads(desk, names()[:32], "one") + heads(desk, names()[32:], "two")
    with counted(desk.client) as settling:
        desk.lanes.settle([Settlement(head, Outcome.ACCEPTED) for head in taken])

    # Then each step needs no more round trips than batches, and no more commands per signal than it did
    assert (admitting[SCRIPT_CALLS], taking[SCRIPT_CALLS], settling[SCRIPT_CALLS]) == (1, 2, 1)
    assert admitting.each() <= 2.3
    assert taking.each() <= 12  # one of them reads when the lane was rung, for the metrics
    assert settling.each() <= 15


def test_a_signal_of_a_stream_costs_few_commands_and_no_checkout(desk: Desk) -> None:
    # Given two signals in each of many lanes, of which the first are in hand
    desk.admit(*(signal(name, order_id=f"{turn}") for turn in range(2) for name in names()))
    taken = heads(desk, names(), "one")

    # When the first ones are settled by a caller who wants the next
    with counted(desk.client) as settling:
        answer = desk.lanes.settle([Settlement(head, Outcome.ACCEPTED, more=True) for head in taken])

    # Then the same call hands them out
    assert all(head is not None for _, head in answer.results)
    assert settling[SCRIPT_CALLS] == 1
    assert settling.each() <= 17


def test_a_batch_is_sent_in_one_call_and_a_ring_for_every_32_lanes(
    client: redis.Redis, redis_url: str, prefix: str
) -> None:
    with SignalProducer(settings=Settings(redis_url=redis_url, prefix=prefix)) as producer:
        producer.send(order("warm-up", "0"))
        client.delete(f"{prefix}rings")
        with counted(client) as batched:
            producer.send([order(name, "1") for name in names()])
        assert client.llen(f"{prefix}rings") == SIGNALS // 32
        with counted(client) as singly:
            for name in names():
                producer.send(order(f"{name} alone", "1"))

    # The script rings, too: nothing else is sent.
    assert (batched[SCRIPT_CALLS], batched[RINGS]) == (1, 1)
    assert (singly[SCRIPT_CALLS], singly[RINGS]) == (SIGNALS, SIGNALS)
    assert batched.keys() & CONNECTION == singly.keys() & CONNECTION == set()


def test_lanes_that_are_rung_already_are_not_rung_again(
    client: redis.Redis, redis_url: str, prefix: str
) -> None:
    with SignalProducer(settings=Settings(redis_url=redis_url, prefix=prefix)) as producer:
        producer.send([order(name, "1") for name in names()])
        with counted(client) as again:
            producer.send([order(name, "2") for name in names()])

    assert again.get(RINGS, 0) == 0


def test_a_scrape_costs_the_same_whatever_waits(desk: Desk, prefix: str) -> None:
    # Given few lanes, and then many
    collector = LedgerCollector(Register(desk.client, prefix=prefix).census)
    costs, pages = [], []
    for lanes in ((), names()):
        desk.admit(*(signal(name, order_id="o") for name in lanes))
        with counted(desk.client) as scraping:
            told = [sample for family in collector.collect() for sample in family.samples]
        costs.append(dict(scraping))
        pages.append({sample.name: sample.value for sample in told})

    # Then Redis is asked the same, and the page is as long
    assert [page["signals_lanes_working"] for page in pages] == [1, 1 + SIGNALS]
    assert costs[0] == costs[1] != {}
    assert pages[0].keys() == pages[1].keys()


def test_posting_calls_few_functions(paper: PaperServer) -> None:
    # Given all that a posting thread goes through
    settings = Settings()
    compose = Composer(settings.rules(), settings.policy())
    metrics = Metrics(CollectorRegistry(), in_flight=lambda: 0.0, threads=settings.threads)
    handler = Handler(
        poster=Courier(paper.webhook_url),
        observer=Observers([metrics, LogObserver()]),
        compose=compose,
        policy=compose.policy,
        pace=Pace(lease=20, quantum_signals=50, quantum_seconds=5),
    )
    job = a_job(paper)
    first = handler.handle(job)  # connects
    assert isinstance(first, Settlement) and first.outcome is Outcome.ACCEPTED  # noqa: PT018 - for mypy

    # Then a POST and its verdict take no more calls than they did, of libraries too
    assert calls(lambda: handler.handle(job)) <= 400


def test_preparing_a_signal_calls_few_functions() -> None:
    with SignalProducer(settings=Settings()) as producer:
        terms = producer.terms()
    draft = Draft(order("acct", "1"))
    assert isinstance(prepare(draft, terms), Prepared)

    assert calls(lambda: prepare(draft, terms)) <= 150


def test_sending_a_list_calls_few_functions(redis_url: str, prefix: str) -> None:
    # Given signals that are new each time
    numbers = itertools.count()
    with SignalProducer(settings=Settings(redis_url=redis_url, prefix=prefix)) as producer:
        producer.send(order("warm-up", "0"))

        def send() -> None:
            producer.send([order(name, f"{next(numbers)}") for name in names()])

        # Then all that is done for each, with what a call needs besides, takes no more calls than it did
        assert calls(send, times=5) / SIGNALS <= 190


def calls(act: Callable[[], object], times: int = 20) -> float:
    """Functions that ``act`` calls each time, Python's and C's; of this thread only."""
    profile = cProfile.Profile()
    with profile:
        for _ in range(times):
            act()
    return float(pstats.Stats(profile).total_calls) / times  # type: ignore[attr-defined]


def a_job(paper: PaperServer) -> Job:
    now, now_ms = time.monotonic(), round(time.time() * 1000)
    head = Head(
        lane="acct",
        id="id",
        token="token",
        body='{"connectorName": "acct", "connectorToken": "t", "action": "sell", "fixed": "1"}',
        action="sell",
        action_class="partial",
        attempt=1,
        unknowns=0,
        admitted_ms=now_ms,
        due_ms=now_ms,
        expires_ms=None,
        orphan=False,
        taken_ms=None,
    )
    return Job(head, now, now_ms, now, 1)


def order(connector: str, name: str) -> dict[str, str]:
    return {
        "connectorName": connector,
        "connectorToken": "3f0c1a52-7e0b-4f1e-9d0e-3f1f7a2b9c11",
        "action": "openLong",
        "fixed": "0.015",
        "clientOrderId": name,
    }
