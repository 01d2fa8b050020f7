"""Runs the parts under made-up traffic with a real Prometheus, and asks it what the dashboards would ask."""

from __future__ import annotations

import json
import math
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from demo.stack import Process, Server, cli, eventually, fetch, free_port, start_gateway, start_worker

HOUSE = Path(__file__).resolve().parents[2]
DASHBOARDS = sorted((HOUSE / "helm" / "dashboards").glob("*.json"))
RULES = sorted((HOUSE / "helm" / "rules").glob("*.yaml"))
MISCHIEF = ("503:p=0.05", "400:p=0.01", "reset:action=open*,p=0.004", "hang:p=0.002")
"""A day at a real exchange: most goes well."""
SCRAPE = 1
"""Seconds."""
POINTS = 240
"""Of a line, at most: as many as Grafana would ask for in a panel of this width."""

Json = dict[str, Any]


def collect(seconds: int) -> Json:
    """What every panel of every dashboard shows after so many seconds of traffic, by dashboard."""
    folder = HOUSE / ".run" / "pictures"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with _watched_stack(folder) as prometheus:
        start = time.time()
        while (left := start + seconds - time.time()) > 0:
            print(f"\rtraffic for {left:.0f} s more ", end="", file=sys.stderr, flush=True)
            time.sleep(min(left, 5))
        print(file=sys.stderr)
        window = Window(prometheus, math.ceil(start), math.floor(time.time()))
        return {path.stem: window.board(json.loads(path.read_text())) for path in DASHBOARDS}


class Window:
    """A Prometheus and a stretch of time, as a dashboard looks at them."""

    def __init__(self, prometheus: str, start: int, end: int) -> None:
        self._prometheus = prometheus
        self._start, self._end = start, end
        self._step = max(SCRAPE, math.ceil((end - start) / POINTS))
        rated = max(4 * SCRAPE, 15)
        self._variables = {
            "__rate_interval": f"{rated}s",
            "__rate_interval_ms": f"{rated * 1000}",
            "__range": f"{end - start}s",
            "__range_s": f"{end - start}",
        }

    def board(self, board: Json) -> Json:
        """The dashboard, with the answers to its queries beside each target."""
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                target["answer"] = self._ask(self._filled(target["expr"]), instant=target["instant"])
        return {"start": self._start, "end": self._end, "step": self._step, **board}

    def _filled(self, expr: str) -> str:
        """With variables replaced: everything is chosen, as it is when a dashboard is opened."""
        return re.sub(r"\$(\w+)", lambda found: self._variables.get(found[1], ".*"), expr)

    def _ask(self, query: str, *, instant: bool) -> list[Json]:
        moments = (
            {"time": self._end} if instant else {"start": self._start, "end": self._end, "step": self._step}
        )
        kind = "query" if instant else "query_range"
        status, answer = fetch(f"{self._prometheus}/api/v1/{kind}?{urlencode({'query': query, **moments})}")
        if status != 200:
            sys.exit(f"pictures: Prometheus refuses {query}: {answer}")
        return list(json.loads(answer)["data"]["result"])


@contextmanager
def _watched_stack(folder: Path) -> Iterator[str]:
    """A server, an endpoint, two workers, a gateway and traffic; where Prometheus is that scrapes them."""
    with ExitStack() as stack:
        server = stack.enter_context(Server(folder / "server", maxmemory="256mb"))
        port = free_port()
        rules = [part for rule in MISCHIEF for part in ("--mischief", rule)]
        paper = cli("worker", "paper", "--port", str(port), "--seed", "7", *rules)
        stack.enter_context(Process(paper, folder / "paper.log", {}))
        endpoint = f"http://127.0.0.1:{port}"
        eventually(
            lambda: fetch(f"{endpoint}/healthz")[0] == 200, within=30, what="the paper endpoint answers"
        )
        accounts = folder / "accounts.yaml"
        accounts.write_text("accounts:\n  - name: BTC Trend\n")
        webhook = f"{endpoint}/trading-signal/webhook"
        pages = []
        for number in (1, 2):
            log = folder / f"worker-{number}.log"
            worker, page = start_worker(server.url, webhook, log, accounts_file=accounts)
            stack.enter_context(worker)
            pages.append(page)
        watched = free_port()
        gateway, door = start_gateway(
            server.url, folder / "gateway.log", gateway_open="true", gateway_metrics_port=watched
        )
        stack.enter_context(gateway)
        pages_of = {"worker": pages, "gateway": [f"http://127.0.0.1:{watched}"]}
        prometheus = _start_prometheus(stack, folder, pages_of)
        traffic = [sys.executable, "-m", "demo.traffic_loop", "--rate", "12", "--seed", "7"]
        traffic += ["--gateway", f"{door}/trading-signal/webhook"]
        stack.enter_context(Process(traffic, folder / "traffic.log", {"SIGNALS_REDIS_URL": server.url}))
        yield prometheus


def _start_prometheus(stack: ExitStack, folder: Path, pages: dict[str, list[str]]) -> str:
    config = {  # JSON is YAML, too
        "global": {"scrape_interval": f"{SCRAPE}s", "evaluation_interval": "2s"},
        "rule_files": [str(path) for path in RULES],
        "scrape_configs": [
            {
                "job_name": job,
                "static_configs": [{"targets": [page.removeprefix("http://") for page in addresses]}],
            }
            for job, addresses in pages.items()
        ],
    }
    file = folder / "prometheus.yml"
    file.write_text(json.dumps(config))
    program = shutil.which("prometheus")
    if program is None:
        sys.exit("pictures: prometheus is not installed: apt-get install prometheus")
    address = f"127.0.0.1:{free_port()}"
    command = [
        program,
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={address}",
    ]
    stack.enter_context(Process(command, folder / "prometheus.log", {}))
    eventually(lambda: fetch(f"http://{address}/-/ready")[0] == 200, within=30, what="Prometheus is ready")
    return f"http://{address}"
