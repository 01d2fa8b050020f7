"""A complete stack under traffic, with a real Prometheus that scrapes it and a real Alertmanager behind."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

from demo.stack import Process, Server, cli, eventually, fetch, free_port, start_worker
from tests.monitoring.promtool import HOUSE, RULES
from tests.programs import program

REFUSED = "refused"
"""A connector whose signals the endpoint refuses."""
MISCHIEF = (f"400:connector={REFUSED}", "400:p=0.05", "503:p=0.1", "reset:action=open*,p=0.1")


@dataclass
class Watched:
    """Where the parts are."""

    prometheus: str
    pages: list[str]
    """Addresses of metrics."""
    alerts: list[dict[str, Any]] = field(default_factory=list)
    """What Alertmanager told."""
    redis_url: str = ""

    def ask(self, query: str) -> list[dict[str, Any]]:
        """The result of an instant query."""
        status, answer = fetch(f"{self.prometheus}/api/v1/query?{urlencode({'query': query})}")
        assert status == 200, f"{query}: {answer}"
        return list(json.loads(answer)["data"]["result"])

    def rules(self) -> list[dict[str, Any]]:
        groups = json.loads(fetch(f"{self.prometheus}/api/v1/rules")[1])["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    alerts: list[dict[str, Any]] = []
    with ExitStack() as stack:
        server = stack.enter_context(Server(folder / "server", maxmemory="256mb"))
        pages = _start_stack(stack, folder, server)
        told = stack.enter_context(_receiver(alerts))
        alertmanager = _start_alertmanager(stack, folder, told)
        jobs = {"worker": pages[:1], "gateway": pages[1:]}
        prometheus = start_prometheus(stack, folder, jobs, RULES, alertmanager)
        yield Watched(prometheus, pages, alerts, server.url)


def _start_stack(stack: ExitStack, folder: Path, server: Server) -> list[str]:
    """The paper endpoint, a worker, a gateway and traffic as with Docker; where their metrics are."""
    port = free_port()
    rules = [part for rule in MISCHIEF for part in ("--mischief", rule)]
    paper = Process(
        cli("worker", "paper", "--port", str(port), "--seed", "7", *rules), folder / "paper.log", {}
    )
    stack.enter_context(paper)
    endpoint = f"http://127.0.0.1:{port}"
    eventually(lambda: fetch(f"{endpoint}/healthz")[0] == 200, within=30, what="the paper endpoint answers")
    worker, page = start_worker(server.url, f"{endpoint}/trading-signal/webhook", folder / "worker.log")
    stack.enter_context(worker)
    door = f"http://127.0.0.1:{free_port()}"
    inside = f"http://127.0.0.1:{free_port()}"
    settings = {
        "SIGNALS_REDIS_URL": server.url,
        "SIGNALS_GATEWAY_OPEN": "true",
        "SIGNALS_GATEWAY_METRICS_PORT": inside.rpartition(":")[2],
    }
    gateway = cli("producers", "gateway", "--port", door.rpartition(":")[2])
    stack.enter_context(Process(gateway, folder / "gateway.log", settings))
    eventually(lambda: fetch(f"{door}/readyz")[0] == 200, within=30, what=f"a gateway: {folder}/gateway.log")
    traffic = [
        *("-m", "demo.traffic_loop", "--rate", "30", "--seed", "7"),
        *("--gateway", f"{door}/trading-signal/webhook"),
    ]
    python = cli("worker")[0]
    stack.enter_context(
        Process([python, *traffic], folder / "traffic.log", {"SIGNALS_REDIS_URL": server.url})
    )
    return [page, inside]


@contextmanager
def _receiver(alerts: list[dict[str, Any]]) -> Iterator[str]:
    """Takes what Alertmanager sends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            alerts.extend(json.loads(body)["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """The tests look at what was told."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def _start_alertmanager(stack: ExitStack, folder: Path, receiver: str) -> str:
    config = {
        "route": {"receiver": "test", "group_wait": "0s", "group_interval": "1s", "group_by": ["alertname"]},
        "receivers": [{"name": "test", "webhook_configs": [{"url": receiver}]}],
    }
    address = f"127.0.0.1:{free_port()}"
    file = folder / "alertmanager.yml"
    file.write_text(yaml.safe_dump(config))
    command = [
        program("prometheus-alertmanager"),
        f"--config.file={file}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]
    stack.enter_context(Process(command, folder / "alertmanager.log", {}))
    eventually(lambda: fetch(f"http://{address}/-/ready")[0] == 200, within=30, what="Alertmanager is ready")
    return address


def start_prometheus(
    stack: ExitStack,
    folder: Path,
    jobs: dict[str, list[str]],
    rules: list[Path],
    alertmanager: str | None = None,
) -> str:
    """A Prometheus that scrapes these pages by job; its address."""
    config = {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "1s"},
        "rule_files": [str(path) for path in rules],
        "scrape_configs": [
            {
                "job_name": job,
                "static_configs": [{"targets": [page.removeprefix("http://") for page in pages]}],
            }
            for job, pages in jobs.items()
        ],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}] if alertmanager else []
        },
    }
    port = free_port()
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    command = [
        program("prometheus"),
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--web.user-assets={HOUSE / 'docs'}",
    ]
    log = folder / "prometheus.log"
    stack.enter_context(Process(command, log, {}))
    address = f"http://127.0.0.1:{port}"
    eventually(lambda: fetch(f"{address}/-/ready")[0] == 200, within=30, what=f"Prometheus is ready: {log}")
    return address
