"""The token goes to the endpoint and nowhere else."""

from __future__ import annotations

import subprocess
import urllib.request
import uuid
from pathlib import Path

import redis

from demo.stack import cli, eventually, fetch
from producers import SignalProducer
from tests.acceptance.conftest import Ledger
from tests.conftest import Workers
from worker.paper import Mischief, PaperServer

TOKEN = str(uuid.uuid4())


def run(package: str, *arguments: str, redis_url: str, prefix: str) -> str:
    """All that a command of ours says."""
    environment = {"SIGNALS_REDIS_URL": redis_url, "SIGNALS_PREFIX": prefix}
    done = subprocess.run(
        cli(package, *arguments), capture_output=True, text=True, timeout=60, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def exemplars(address: str) -> str:
    """The page of metrics as OpenMetrics, which tells more."""
    request = urllib.request.Request(
        f"{address}/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        page = str(answer.read().decode())
    assert "signal_id=" in page
    return page


def test_the_token_appears_nowhere(
    workers: Workers,
    producer: SignalProducer,
    ledger: Ledger,
    client: redis.Redis,
    redis_url: str,
    prefix: str,
    tmp_path: Path,
) -> None:
    # given: signals of every fate, and a worker that logs all it can
    def signal(action: str, **fields: object) -> dict[str, object]:
        return {"connectorName": "acct", "connectorToken": TOKEN, "action": action, **fields}

    seen_messages: list[bytes] = []
    mischief = Mischief.from_text("400:clientOrderId=bad-1", "reset:clientOrderId=lost-1", "503:first=2")
    with PaperServer(mischief=mischief) as paper:
        receipts = producer.send(
            [
                signal("openLong", fixed="1", clientOrderId="good-1"),
                signal("openLong", fixed="1", clientOrderId="good-1"),
                signal("openLong", fixed="2", clientOrderId="good-1"),
                signal("openLong", fixed="1", clientOrderId="bad-1"),
                signal("openLong", fixed="1", clientOrderId="lost-1"),
                signal("openLong", fixed="1", delaySeconds=0.3),
                signal("openLong", perecnt=TOKEN),
                signal("openLong", fixed=TOKEN),
                signal(TOKEN),
                {"connectorName": "acct", "connectorTokn": TOKEN, "action": "buy"},
            ]
        )
        for queue in ("rings", "wakes"):
            seen_messages += client.lrange(f"{prefix}{queue}", 0, -1)
        assert seen_messages, "there were Celery messages to look at"
        worker = workers.start(paper.webhook_url, log_level="debug")
        ledger.idle()
        # when: everything that speaks is heard
        spoken = {
            "receipts": "\n".join(map(str, receipts)) + "\n".join(str(one.as_dict()) for one in receipts),
            "messages": b"\n".join(seen_messages).decode(),
            "metrics": fetch(f"{workers.addresses[0]}/metrics")[1],
            "exemplars": exemplars(workers.addresses[0]),
            "probes": "".join(fetch(f"{workers.addresses[0]}/{name}")[1] for name in ("livez", "readyz")),
            "status": run("worker", "status", redis_url=redis_url, prefix=prefix),
            "status json": run("worker", "status", "--json", redis_url=redis_url, prefix=prefix),
            "dead list": run("worker", "dead", "list", redis_url=redis_url, prefix=prefix),
            "endpoint": fetch(f"{paper.url}/receipts")[1] + fetch(f"{paper.url}/")[1],
        }
        dead = [receipt.id for receipt in receipts if ledger.record(receipt.id).get("state") == "dead"]
        assert len(dead) == 2
        for number, signal_id in enumerate(dead):
            spoken[f"dead show {number}"] = run(
                "worker", "dead", "show", str(signal_id), redis_url=redis_url, prefix=prefix
            )
        worker.stop()
        spoken["log"] = worker.output()
        eventually(lambda: "attempt" in spoken["log"], within=5, what="the log tells of attempts")
        assert all(one.body["connectorToken"] == TOKEN for one in paper.receipts), "but the endpoint got it"
    # then
    assert all(spoken.values())
    assert [name for name, text in spoken.items() if TOKEN in text or TOKEN[:13] in text] == []
