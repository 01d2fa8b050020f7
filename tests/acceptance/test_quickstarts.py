"""The quick starts, block by block, as a reader would try them.

Each block of docs/quickstarts.md stands behind a comment that says what to do with it:
``test: file NAME`` (write it), ``background`` (start it), ``run [TEXT]`` (run it; it must say TEXT),
``new-key`` (run it, and do with the key what the page says), ``tradingview`` (send it as TradingView would),
``patch`` (run what the diff makes), ``skip``.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from demo.stack import eventually, fetch, free_port
from worker.paper import PaperServer

PAGE = Path(__file__).parents[2] / "docs" / "quickstarts.md"
BLOCK = re.compile(
    r"^(?P<indent> *)<!-- test: (?P<what>[^>]*?) -->\n *```(?P<language>\w+)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
RENDERED = {
    "{{strategy.order.alert_message}}": '"action": "openLong", "percent": "10"',
    "{{strategy.order.id}}": "Long",
    "{{timenow}}": "2026-11-22T20:26:37Z",
    "{{strategy.order.comment}}": "breakout",
    "{{close}}": "61250.5",
    "{{strategy.order.contracts}}": "0.5",
    "{{strategy.order.price}}": "61250.5",
    "{{strategy.market_position}}": "long",
    "{{strategy.market_position_size}}": "0.5",
    "{{strategy.prev_market_position}}": "flat",
    "{{strategy.prev_market_position_size}}": "0",
}


@dataclass(frozen=True)
class Block:
    what: str
    language: str
    text: str


def blocks() -> list[Block]:
    return [
        Block(found["what"], found["language"], textwrap.dedent(found["text"]))
        for found in BLOCK.finditer(PAGE.read_text())
    ]


def fetch_with(key: str, url: str) -> int:
    return requests.get(url, headers={"Authorization": f"Bearer {key}"}, timeout=5).status_code


class Reader:
    """Somebody who follows the page in an empty folder, on free ports."""

    def __init__(self, folder: Path, redis_url: str, prefix: str, paper: PaperServer) -> None:
        self._folder = folder
        self.gateway = f"127.0.0.1:{free_port()}"
        self._redis = redis_url
        self._endpoint = paper.webhook_url
        self._background: list[subprocess.Popen[bytes]] = []
        self._environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "SIGNALS_REDIS_URL": redis_url,
            "SIGNALS_ACCOUNTS_FILE": "accounts.yaml",
            "SIGNALS_API_KEYS_FILE": "api-keys.yaml",
            "SIGNALS_PREFIX": prefix,
            "SIGNALS_ENDPOINT_URL": paper.webhook_url,
            "SIGNALS_METRICS_PORT": "0",
            "SIGNALS_GATEWAY_METRICS_PORT": "0",
            "SIGNALS_GATEWAY_PORT": self.gateway.rpartition(":")[2],
        }

    def follow(self, block: Block) -> None:
        what, _, rest = block.what.partition(" ")
        text = block.text.replace("127.0.0.1:8080", self.gateway)
        text = text.replace("redis://127.0.0.1:6379/0", self._redis)
        text = text.replace("http://127.0.0.1:8081/trading-signal/webhook", self._endpoint)
        if what == "file":
            (self._folder / rest).write_text(text)
        elif what == "background":
            self._start(text)
        elif what == "tradingview":
            self._alert(text)
        elif what == "patch":
            changed = [line[1:] for line in text.splitlines() if not line.startswith("-")]
            assert self._run("python", "\n".join(changed)) == "ok\n"
        elif what == "new-key":
            self._paste_key(self._run(block.language, text))
        elif what == "run":
            assert rest in self._run(block.language, text)
        else:
            assert what == "skip", block

    def _paste_key(self, printed: str) -> None:
        key, entry = (line for line in printed.splitlines() if line.startswith("  "))
        self._environment["KEY"] = key.strip()
        (self._folder / "api-keys.yaml").write_text(f"keys:\n{entry}\n")
        eventually(
            lambda: fetch_with(key.strip(), f"http://{self.gateway}/v1/lanes/alpha") != 401,
            within=15,
            what="the gateway knows the key",
        )

    def _start(self, text: str) -> None:
        with (self._folder / "log").open("ab") as log:
            self._background.append(
                subprocess.Popen(
                    ["bash", "-c", text], cwd=self._folder, env=self._environment, stdin=subprocess.DEVNULL,
                    stdout=log, stderr=log, start_new_session=True,
                )
            )  # fmt: skip
        if "gateway" in text:
            eventually(
                lambda: fetch(f"http://{self.gateway}/readyz")[0] == 200,
                within=30,
                what="the gateway answers",
            )

    def _alert(self, text: str) -> None:
        for placeholder, value in RENDERED.items():
            text = text.replace(placeholder, value)
        answer = requests.post(
            f"http://{self.gateway}/trading-signal/webhook",
            data=text.encode(),
            headers={"Content-Type": "application/json; charset=utf-8"},
            timeout=10,
        )
        assert (answer.status_code, answer.text) == (200, "ok")

    def _run(self, language: str, text: str) -> str:
        command = {"sh": ["bash", "-euo", "pipefail", "-c", text], "python": [sys.executable, "-c", text]}
        done = subprocess.run(
            command[language], cwd=self._folder, env=self._environment, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def leave(self) -> None:
        """End what is still running."""
        for process in self._background:
            os.killpg(process.pid, signal.SIGTERM)
        for process in self._background:
            process.wait(30)


@pytest.fixture
def reader(tmp_path: Path, redis_url: str, prefix: str, paper: PaperServer) -> Iterator[Reader]:
    somebody = Reader(tmp_path, redis_url, prefix, paper)
    yield somebody
    somebody.leave()


def test_every_block_says_what_becomes_of_it() -> None:
    assert len(blocks()) == PAGE.read_text().count("```") / 2


def test_the_page_works_from_top_to_bottom(reader: Reader, paper: PaperServer) -> None:
    for block in blocks():
        reader.follow(block)
    arrived = [
        "alpha openLong Long-2026-11-22T20:26:37Z",
        "alpha None None",  # the position sync
        "alpha buy None",
        "alpha buy rebalance-2026-11-22",
        "alpha sell None",
        "alpha openLong monday-1",
        "alpha closeLong copy-1",
        "alpha openShort copy-2",
    ]
    paper.wait_for_receipts(len(arrived) + 2, timeout=30)

    def shown(connector: str) -> list[str]:
        bodies = [one.body or {} for one in paper.receipts]
        mine = [body for body in bodies if body["connectorName"] == connector]
        return [f"{connector} {body.get('action')} {body.get('clientOrderId')}" for body in mine]

    assert shown("alpha") == arrived
    assert shown("beta") == ["beta closeLong copy-1", "beta openShort copy-2"]
