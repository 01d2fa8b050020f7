"""What a worker tells Prometheus: real pages of real workers, judged by Prometheus' own tool."""

from __future__ import annotations

import json
import subprocess
import threading
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as families

from demo.stack import Server, eventually, fetch
from producers import SignalProducer
from tests.acceptance.conftest import Ledger
from tests.acceptance.test_frozen_server import standing_still
from tests.conftest import Workers
from tests.programs import program
from worker.lanes import Lanes, Outcome
from worker.lanes.redis import connect
from worker.metrics.catalogue import CATALOGUE
from worker.paper import Mischief, PaperServer

OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}


def order(connector: str, action: str = "openLong", **fields: object) -> dict[str, object]:
    sized = {} if action.startswith("close") else {"fixed": "1"}
    who = {"connectorName": connector, "connectorToken": "token-for-tests"}
    return {**who, "action": action, **sized, **fields}


def values(address: str) -> dict[str, float]:
    """Each sample of the page as it is written there; empty if nobody answers."""
    status, page = fetch(f"{address}/metrics")
    if status != 200:
        return {}
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in page.splitlines()
        if line[0] != "#"
    }


def test_a_page_tells_all_and_promtool_has_nothing_against_it(
    workers: Workers, producer: SignalProducer, ledger: Ledger
) -> None:
    # given: signals of several fates, one of them an exit that was refused
    mischief = Mischief.from_text("400:clientOrderId=bad", "reset:clientOrderId=lost")
    with PaperServer(mischief=mischief) as paper:
        workers.start(paper.webhook_url, metrics_connectors="top:1")
        (address,) = workers.addresses
        first = producer.send(order("first"))
        assert ledger.outcome(first.id) == "accepted"
        twice = [order("second", clientOrderId="lost"), order("second", clientOrderId="lost")]
        producer.send([*twice, order("third", "closeLong", clientOrderId="bad")])
        producer.send([order("third", delaySeconds=600), order("fourth", delaySeconds=0.2)])
        eventually(lambda: ledger.count("waiting") == 0, within=15, what="what is due has ended")
        eventually(lambda: ledger.total("accepted") == 2, within=15, what="the delayed one was posted")
        counted = 'signals_latency_seconds_count{outcome="accepted"}'
        found = eventually(
            lambda: (
                (page := values(address)) and page[counted] == 2 and page["signals_workers"] == 1 and page
            ),
            within=10,
            what="both are counted, and the worker has swept",
        )
        page = fetch(f"{address}/metrics")[1]
    # then: it says what happened
    assert isinstance(found, dict)
    told = {
        "signals_redis_up": 1,
        "signals_admitted_total": 5,
        "signals_duplicates_total": 1,
        "signals_waiting": 0,
        "signals_delayed": 1,
        "signals_workers": 1,
        'signals_dead_letters{reason="unknown"}': 1,
        'signals_dead_letters{reason="rejected"}': 1,
        'signals_dead_exits{reason="rejected"}': 1,
        'signals_dead_exits{reason="unknown"}': 0,
        'signals_paused{scope="all"}': 0,
        'signals_threads{kind="posting"}': 64,
        'signals_lateness_seconds_count{delayed="yes"}': 1,
        'signals_connector_outcomes_total{connector="first",outcome="accepted"}': 1,
        'signals_connector_outcomes_total{connector="other",outcome="accepted"}': 1,
        'signals_connector_latency_seconds_count{connector="other"}': 3,
        "signals_redis_evicting": 0,
        "signals_redis_aof_enabled": 1,
    }
    assert {name: found.get(name) for name in told} == told
    assert found["signals_oldest_unknown_seconds"] > 0
    assert found["signals_redis_memory_bytes"] > 100_000
    assert found["signals_ring_wait_seconds_count"] >= 3
    assert found['signals_redis_call_seconds_count{call="settle"}'] >= 1
    assert abs(found["signals_clock_skew_seconds"]) < 1, "server and worker share a clock"
    # and: nothing that the catalogue does not list, and all that it lists for this worker
    ours = {one.name for one in families(page) if one.name.startswith("signals_")}
    listed = {name.removesuffix("_total") for name in CATALOGUE}
    assert ours <= listed
    assert listed - ours == {"signals_circuit_open"} - ours, "families without a sample are told of, too"
    assert {"process_resident_memory_bytes", "python_gc_collections"} <= {one.name for one in families(page)}
    # and: Prometheus finds no fault with it
    tool = [program("promtool"), "check", "metrics"]
    checked = subprocess.run(tool, input=page, capture_output=True, text=True, timeout=30, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_ends_that_no_worker_sees_are_counted_and_none_twice(
    workers: Workers, producer: SignalProducer, ledger: Ledger
) -> None:
    def ended(page: dict[str, float]) -> dict[str, float]:
        start = 'signals_ended_total{outcome="'
        found = {
            name.removeprefix(start)[:-2]: value for name, value in page.items() if name.startswith(start)
        }
        return {name: value for name, value in found.items() if value}

    with PaperServer(mischief=Mischief.from_text("reset:clientOrderId=lost")) as paper:
        worker = workers.start(paper.webhook_url)
        # given: a worker that has done nothing yet tells of everything that may happen
        fresh = values(workers.addresses[0])
        assert ended(fresh) == {}
        for outcome in Outcome:
            assert fresh[f'signals_ended_total{{outcome="{outcome}"}}'] == 0
            assert fresh[f'signals_outcomes_total{{action="sell",class="full",outcome="{outcome}"}}'] == 0
        # when: one is dropped by a person, one by an exit as that is admitted, one is of unknown fate
        one, _, lost = producer.send(
            [
                order("by-hand", delaySeconds=600),
                order("by-exit", delaySeconds=600),
                order("doubt", clientOrderId="lost"),
            ]
        )
        lanes = Lanes(ledger.client, prefix=ledger.prefix)
        assert lanes.drop([str(one.id)], by="ann").results == ("done",)
        exit_of_it = producer.send(order("by-exit", "closeLong"))
        assert (ledger.outcome(exit_of_it.id), ledger.outcome(lost.id)) == ("accepted", "unknown")
        counted = {"cancelled": 2, "accepted": 1, "unknown": 1}
        eventually(lambda: ended(values(workers.addresses[0])) == counted, within=10, what="all are counted")
        # and: that fate is decided
        assert lanes.resolve([str(lost.id)], "discard", by="ann").results == ("done",)
        # then: no count falls, which Prometheus would take for a new beginning; another worker tells the same
        worker.stop()
        workers.start(paper.webhook_url)
        eventually(
            lambda: ended(values(workers.addresses[1])) == {**counted, "discarded": 1},
            within=10,
            what="it has ended once more",
        )


def test_buckets_name_a_signal_for_those_who_ask(
    paper: PaperServer, workers: Workers, producer: SignalProducer, ledger: Ledger
) -> None:
    workers.start(paper.webhook_url)
    receipt = producer.send(order("acct"))
    assert ledger.outcome(receipt.id) == "accepted"

    def exemplars() -> set[str]:
        request = urllib.request.Request(f"{workers.addresses[0]}/metrics", headers=OPENMETRICS)
        with urllib.request.urlopen(request, timeout=5) as answer:
            page = answer.read().decode()
        samples = [sample for family in openmetrics(page) for sample in family.samples]
        return {sample.exemplar.labels["signal_id"] for sample in samples if sample.exemplar}

    eventually(lambda: exemplars() == {receipt.id}, within=5, what="a bucket names the signal")


def test_brakes_show_in_logs_and_metrics(workers: Workers, producer: SignalProducer, ledger: Ledger) -> None:
    with PaperServer(mischief=Mischief.from_text("503")) as paper:
        worker = workers.start(
            paper.webhook_url, circuit_connectors=2, circuit_pause=0.2, backoff_base=0.1, backoff_cap=0.5
        )
        (address,) = workers.addresses
        endpoint = f'signals_circuit_open{{endpoint="{paper.webhook_url.split("/")[2]}"}}'

        def events(*names: str) -> list[str]:
            lines = [json.loads(line) for line in worker.output().splitlines()]
            return [line["event"] for line in lines if line["event"] in names]

        # when: the endpoint is out of order for a while
        producer.send([order(f"acct-{number}", "closeLong") for number in range(5)])
        eventually(lambda: values(address).get(endpoint) == 1, within=10, what="the circuit is open")
        assert values(address)["signals_circuits_open"] == 1
        paper.mischief = Mischief()
        ledger.idle()
        eventually(lambda: values(address)["signals_circuits_open"] == 0, within=10, what="it is closed")
        # then
        assert events("circuit opened", "circuit closed") == ["circuit opened", "circuit closed"]
        # when: a person holds entries back for a while
        ledger.client.hset(f"{ledger.prefix}pauses", "entries", "ann")
        eventually(lambda: events("paused"), within=10, what="the worker has seen it")
        assert values(address)['signals_paused{scope="entries"}'] == 1
        ledger.client.hdel(f"{ledger.prefix}pauses", "entries")
        eventually(lambda: events("pause ended"), within=10, what="and its end")
        assert events("paused", "pause ended") == ["paused", "pause ended"]


@pytest.mark.parametrize("scrapes", [1, 8])
def test_a_scrape_comes_back_while_redis_stands_still(
    workers: Workers, paper: PaperServer, tmp_path: Path, prefix: str, scrapes: int
) -> None:
    with Server(tmp_path / "server") as server, connect(server.url) as client:
        workers.start(paper.webhook_url, redis_url=server.url)
        (address,) = workers.addresses
        assert values(address)["signals_redis_up"] == 1
        pages: list[dict[str, float]] = []
        with standing_still(client):
            # when: several ask at once, and each gives up after 5 s
            askers = [threading.Thread(target=lambda: pages.append(values(address))) for _ in range(scrapes)]
            for asker in askers:
                asker.start()
            for asker in askers:
                asker.join()
        # then: all got a page that tells of this worker, but of nothing that only Redis knows
        assert [page.get("signals_redis_up") for page in pages] == [0] * scrapes
        assert all('signals_threads{kind="posting"}' in page for page in pages)
        assert not any("signals_waiting" in page or "signals_clock_skew_seconds" in page for page in pages)
        eventually(lambda: values(address).get("signals_redis_up") == 1, within=10, what="it is back")
