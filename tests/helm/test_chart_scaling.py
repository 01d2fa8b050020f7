"""What KEDA and a metrics adapter ask a real Prometheus about real workers, and what the docs promise."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

from demo.stack import Process, Server, eventually, fetch, free_port, start_worker
from producers import SignalProducer
from tests.helm.release import CHART, FEATURES, REDIS, Release, merged
from tests.programs import program
from worker.lanes import Lanes
from worker.lanes.redis import connect
from worker.paper import PaperServer
from worker.settings import Settings

BACKLOG, DELAYED, LANES = 137, 20, 3
PER_WORKER = 20
SCRAPE_TIMEOUT = 5
SCALING = {"worker": {"autoscaling": {"waitingPerWorker": PER_WORKER}}}
MONITORED = {"monitoring": FEATURES["monitoring"]["monitoring"]}
KEDA = Release(merged(FEATURES["keda"], SCALING, MONITORED))
HPA = Release(merged(FEATURES["hpa"], SCALING))
PAGE = (CHART.parent / "docs" / "kubernetes.md").read_text("utf-8")


class Prometheus:
    """Scrapes workers as the chart's PodMonitor tells the operator to."""

    def __init__(self, stack: ExitStack, folder: Path, workers: dict[str, list[str]]) -> None:
        """``workers``: addresses by the name of their release."""
        port = free_port()
        self._address = f"http://127.0.0.1:{port}"
        jobs = [job(release, addresses) for release, addresses in workers.items()]
        times = {"scrape_interval": "1s", "scrape_timeout": "1s"}
        file, log = folder / "prometheus.yml", folder / "prometheus.log"
        file.write_text(yaml.safe_dump({"global": times, "scrape_configs": jobs}))
        command = [
            program("prometheus"),
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        stack.enter_context(Process(command, log, {}))
        ready = f"{self._address}/-/ready"
        eventually(lambda: fetch(ready)[0] == 200, within=30, what=f"Prometheus is ready: {log}")

    def series(self, query: str) -> list[dict[str, Any]]:
        status, answer = fetch(f"{self._address}/api/v1/query?{urlencode({'query': query})}")
        assert status == 200, f"{query}: {answer}"
        return list(json.loads(answer)["data"]["result"])

    def number(self, query: str) -> float:
        """The one number that a scaler takes; it refuses anything else."""
        (found,) = self.series(query)
        return float(found["value"][1])


def job(release: str, addresses: list[str]) -> dict[str, Any]:
    """A scrape job as the Prometheus operator makes it of a PodMonitor."""
    values = merged(REDIS, MONITORED)
    (endpoint,) = Release(values).get("PodMonitor", "worker")["spec"]["podMetricsEndpoints"]
    relabelings = [
        {"target_label": one["targetLabel"], "replacement": one["replacement"].replace("desk", release)}
        for one in endpoint["relabelings"]
    ]
    targets = [address.removeprefix("http://") for address in addresses]
    return {
        "job_name": release,
        "metrics_path": endpoint["path"],
        "static_configs": [{"targets": targets, "labels": {"namespace": "trading"}}],
        "relabel_configs": relabelings,
    }


class Desk:
    """Two workers of one release with a backlog that a pause holds, another release, and Prometheus."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.server = stack.enter_context(Server(folder / "server"))
        paper = stack.enter_context(PaperServer())
        self.client = stack.enter_context(connect(self.server.url))
        pages = {}
        for release, workers in (("desk", 2), ("other", 1)):
            pages[release] = []
            for number in range(workers):
                log = folder / f"{release}-{number}.log"
                process, page = start_worker(self.server.url, paper.webhook_url, log, prefix=f"{release}:")
                stack.enter_context(process)
                pages[release].append(page)
            Lanes(self.client, prefix=f"{release}:").pause(["all"], label="test", by="test")
        self.began = time.time()
        self._send("desk", BACKLOG)
        self.ended = time.time()
        self._send("desk", DELAYED, delaySeconds=3600)
        self._send("other", BACKLOG * 2)
        self.prometheus = Prometheus(stack, folder, pages)
        first = keda_queries()[0]
        eventually(
            lambda: self.prometheus.series(first) and self.prometheus.number(first) == BACKLOG,
            within=30,
            what=f"{BACKLOG} signals wait",
        )

    def resume(self) -> None:
        Lanes(self.client, prefix="desk:").resume(["all"], label="test", by="test")

    def _send(self, release: str, count: int, **fields: object) -> None:
        who = {"connectorToken": "token-for-tests", "action": "closeLong", "percent": "50"}
        batch = [{"connectorName": f"a-{number % LANES}", **who, **fields} for number in range(count)]
        settings = Settings(redis_url=self.server.url, prefix=f"{release}:")
        with SignalProducer(settings=settings) as producer:
            assert {receipt.status for receipt in producer.send(batch)} == {"accepted"}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with ExitStack() as stack:
        yield Desk(stack, tmp_path_factory.mktemp("scaling"))


def keda_queries() -> list[str]:
    """Of the ScaledObject's triggers, as they are rendered."""
    triggers = KEDA.get("ScaledObject", "worker")["spec"]["triggers"]
    return [trigger["metadata"]["query"] for trigger in triggers]


def adapter_queries() -> list[str]:
    """What prometheus-adapter makes of the HPA's external metrics by the rule that the page gives."""
    (text,) = re.findall(r"```yaml\n# prometheus-adapter.*?\n(.*?)```", PAGE, re.DOTALL)
    (rule,) = yaml.safe_load(text)["externalRules"]
    asked = []
    for metric in HPA.get("HorizontalPodAutoscaler", "worker")["spec"]["metrics"]:
        name, labels = metric["external"]["metric"]["name"], metric["external"]["metric"]["selector"]
        assert re.search(name, rule["seriesQuery"]), "the adapter knows this series"
        matchers = ",".join(f'{label}="{value}"' for label, value in labels["matchLabels"].items())
        query = rule["metricsQuery"].replace("<<.Series>>", name).replace("<<.LabelMatchers>>", matchers)
        asked.append(query)
    return asked


@pytest.mark.parametrize("queries", [keda_queries, adapter_queries])
def test_the_backlog_is_counted_once_and_of_this_release_only(desk: Desk, queries: Any) -> None:
    """Each worker tells of all there is; delayed signals are not due."""
    waiting, _ = queries()
    assert desk.prometheus.number(waiting) == BACKLOG


@pytest.mark.parametrize("queries", [keda_queries, adapter_queries])
def test_the_age_is_that_of_what_waits_longest(desk: Desk, queries: Any) -> None:
    _, oldest = queries()
    age, asked = desk.prometheus.number(oldest), time.time()
    scraped = desk.prometheus.number('max(timestamp(signals_oldest_due_seconds{release="desk"}))')
    assert scraped <= asked
    assert age <= asked - desk.began
    assert age >= scraped - desk.ended - SCRAPE_TIMEOUT


def test_workers_that_this_asks_for_are_those_of_the_page(desk: Desk) -> None:
    trigger, _ = KEDA.get("ScaledObject", "worker")["spec"]["triggers"]
    assert trigger["metricType"] == "AverageValue"
    asked = desk.prometheus.number(trigger["metadata"]["query"]) / float(trigger["metadata"]["threshold"])
    assert math.ceil(asked) == math.ceil(BACKLOG / PER_WORKER) == 7
    assert "⌈`signals_waiting` / `waitingPerWorker`⌉" in PAGE


def test_the_queues_of_celery_would_tell_nothing(desk: Desk) -> None:
    assert desk.client.llen("desk:rings") + desk.client.llen("desk:wakes") <= LANES


def test_nothing_is_asked_for_when_all_is_done(desk: Desk) -> None:
    desk.resume()
    for query in (*keda_queries(), *adapter_queries()):
        eventually(lambda query=query: desk.prometheus.number(query) == 0, within=60, what=f"0: {query}")


def test_in_an_outage_of_redis_the_number_stays(desk: Desk) -> None:
    """KEDA would take an empty answer for 0, but is told not to; an HPA does not anyway."""
    desk.server.stop()
    for query in (*keda_queries(), *adapter_queries()):
        eventually(lambda query=query: desk.prometheus.series(query) == [], within=30, what=f"none: {query}")
    triggers = KEDA.get("ScaledObject", "worker")["spec"]["triggers"]
    assert {trigger["metadata"]["ignoreNullValues"] for trigger in triggers} == {"false"}
