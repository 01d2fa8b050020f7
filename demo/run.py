"""The same parts in the foreground, for trying things out. ``make run`` runs it; Ctrl-C ends it.

Posts to the paper endpoint unless SIGNALS_ENDPOINT_URL is set.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

from demo.stack import Process, Server, cli, eventually, fetch, free_port, start_gateway, start_worker
from worker.errors import SignalsError

FOLDER = Path(".run")
ACCOUNTS = """\
accounts:
  - {name: demo, token: YOUR_TOKEN, groups: [demos]}
  - {name: demo 2, token: ANOTHER_TOKEN, groups: [demos]}
groups:
  - {name: demos, token: DEMOS_TOKEN}
"""


def main() -> None:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        with ExitStack() as stack:
            parts = _start(stack)
            while not stopping.wait(0.5):
                _require_alive(parts)
            print("\nStopping …", flush=True)
    except SignalsError as error:
        sys.exit(f"run: {error}")


def _start(stack: ExitStack) -> dict[str, Process]:
    FOLDER.mkdir(exist_ok=True)
    server = stack.enter_context(Server(FOLDER / "server"))
    parts = {}
    endpoint = os.environ.get("SIGNALS_ENDPOINT_URL")
    if not endpoint:
        port = free_port()
        paper = Process(cli("worker", "paper", "--port", str(port)), FOLDER / "paper.log", {})
        parts["paper endpoint"] = stack.enter_context(paper)
        address = f"http://127.0.0.1:{port}"
        eventually(
            lambda: fetch(f"{address}/healthz")[0] == 200, within=15, what="the paper endpoint answers"
        )
        endpoint = f"{address}/trading-signal/webhook"
    accounts = (FOLDER / "accounts.yaml").absolute()
    if not accounts.exists():  # yours to change while it runs
        accounts.write_text(ACCOUNTS)
    worker, metrics = start_worker(server.url, endpoint, FOLDER / "worker.log", accounts_file=accounts)
    parts["worker"] = stack.enter_context(worker)
    gateway, door = start_gateway(server.url, FOLDER / "gateway.log", accounts_file=accounts)
    parts["gateway"] = stack.enter_context(gateway)
    _tell(server.url, endpoint, metrics, door)
    return parts


def _require_alive(parts: dict[str, Process]) -> None:
    for name, part in parts.items():
        if part.exit_code is not None:
            raise SignalsError(f"the {name} ended; its log: {part.log}")


def _tell(redis_url: str, endpoint: str, metrics: str, gateway: str) -> None:
    folder = Path(sys.executable).parent
    page = endpoint.removesuffix("/trading-signal/webhook")
    message = '{"connectorName": "demo", "connectorToken": "YOUR_TOKEN", "action": "buy", "percent": "10"}'
    print(
        f"""Running until you press Ctrl-C, which stops every part. Data and logs stay in {FOLDER}/.

  endpoint  {endpoint}
  orders    {page}/
  gateway   {gateway}/docs
  metrics   {metrics}/metrics

Try, in another terminal:

  export SIGNALS_REDIS_URL={redis_url}
  {folder}/signal-producer send --json '{message}'
  {folder}/signal-worker status
  curl {gateway}/trading-signal/webhook --data '{message}'
  curl {page}/
""",
        flush=True,
    )


if __name__ == "__main__":
    main()
