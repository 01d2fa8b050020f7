"""The stack of docker-compose.yml beside one's own: under another name, with its own secrets and image."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.proof import HOUSE, NotSo, Program, say

DEMO = ("paper", "worker", "gateway", "traffic")
LIVE = ("worker-live", "gateway-live")
"""Of our image, by profile."""
PORTS = {"gateway": 8080, "paper": 8787, "prometheus": 9090, "alertmanager": 9093, "grafana": 3000}
"""Of this machine's loopback."""
EVERY_PROFILE = ("--profile", "*")
PAPER = "http://paper:8787/trading-signal/webhook"
COME_UP = 180
"""Seconds until all are healthy, on a slow machine."""
KINDS = {"containers": ("ps", "--all"), "networks": ("network", "ls"), "volumes": ("volume", "ls")}

Json = dict[str, Any]

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def changes(image: str, stand_in: str, secrets: Path) -> Json:
    """What is laid over docker-compose.yml; with a ``stand_in`` no image of a registry is left."""
    services: Json = {name: {"image": image} for name in (*DEMO, *LIVE)}
    services["worker-live"]["environment"] = {"SIGNALS_ENDPOINT_URL": PAPER}
    if stand_in:
        idle = {"entrypoint": ["sleep", "infinity"], "healthcheck": {"disable": True}}
        services |= {
            "valkey": {"image": stand_in},
            "prometheus": {"image": stand_in, "entrypoint": ["prometheus"]},
            "alertmanager": {"image": stand_in, "entrypoint": ["prometheus-alertmanager"]},
            "grafana": {"image": stand_in, **idle},
        }
    written = yaml.safe_load((HOUSE / "docker-compose.yml").read_text())["secrets"]
    files = {name: {"file": str(secrets / Path(one["file"]).name)} for name, one in written.items()}
    return {"services": services, "secrets": files}


class Stack:
    """Brings it up, looks into it, and takes it down."""

    def __init__(self, docker: Program, compose: Sequence[str], image: str, stand_in: str = "") -> None:
        self.name = f"signals-proof-{os.getpid()}"
        self.docker, self.stand_in = docker, stand_in
        # Below the house, for some engines can mount nothing of /tmp.
        self._folder = HOUSE / ".run" / self.name
        self.secrets, self._changed = self._folder / "secrets", self._folder / "changes.yaml"
        self._changes = changes(image, stand_in, self.secrets)
        # Without a profile: the house's `.env` names it, as for everybody who types `docker compose up`.
        self.compose = Program(
            [
                *(*compose, "--project-name", self.name, "--project-directory", str(HOUSE)),
                *("--file", str(HOUSE / "docker-compose.yml"), "--file", str(self._changed)),
            ]
        )

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """Secrets and changes are there; whatever came up goes down, and takes all data along."""
        self._folder.mkdir(parents=True)
        try:
            Program([sys.executable, str(HOUSE / "compose" / "make_secrets.py")])(str(self.secrets))
            self._changed.write_text(yaml.safe_dump(self._changes))
            try:
                yield
            except NotSo:
                self._keep_logs()
                raise
            finally:
                self.compose(*EVERY_PROFILE, "down", "--volumes", "--timeout", "10")
        finally:
            shutil.rmtree(self._folder)

    def _keep_logs(self) -> None:
        if said := self.compose(*EVERY_PROFILE, "logs", "--timestamps"):
            log = self._folder.with_name("compose-proof.log")
            log.write_text(said)
            say(f"what the containers said is in {log}")

    def pull(self) -> None:
        """Fetch from their registry the images that are not here."""
        try:
            self.compose("pull", "--quiet", "--policy", "missing", "--ignore-buildable")
        except NotSo as error:
            why = str(error).splitlines()[-1]
            raise NotSo(f"the images cannot be had; STAND_IN names others (docs/compose.md): {why}") from None

    def up(self, *words: str) -> None:
        """Raises NotSo if not all that came up is healthy in time."""
        waiting = ("--wait", "--wait-timeout", str(COME_UP))
        self.compose("up", "--detach", "--no-build", *waiting, *words)

    def inside(self, service: str, *command: str) -> str:
        """What a command prints in a service's first container."""
        return self.compose("exec", "--no-TTY", service, *command)

    def containers(self, service: str = "") -> list[Json]:
        """What the engine knows of each, those that ended too."""
        found = self.compose("ps", "--all", "--quiet", *([service] if service else [])).split()
        return list(json.loads(self.docker("inspect", *found))) if found else []

    def left(self, kind: str) -> list[str]:
        """The ids of all that the engine keeps for this stack; ``kind`` is one of KINDS."""
        mine = f"label=com.docker.compose.project={self.name}"
        return self.docker(*KINDS[kind], "--quiet", "--filter", mine).split()

    def ledger(self, worker: str = "worker") -> Json:
        """``signal-worker status``."""
        return dict(json.loads(self.inside(worker, "signal-worker", "status", "--json")))


def service_of(container: Json) -> str:
    return str(container["Config"]["Labels"]["com.docker.compose.service"])


def published(container: Json) -> list[tuple[str, str]]:
    """Addresses and ports of this machine."""
    ports = container["NetworkSettings"]["Ports"].values()
    return [(one["HostIp"], one["HostPort"]) for bound in ports for one in bound or ()]


def answers(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((address, port)) == 0


def fetch(service: str, path: str, body: Json | None = None) -> tuple[int, str]:
    """Status and text of a page, by the port that is published; raises NotSo if nobody answers."""
    data = None if body is None else json.dumps(body).encode()
    address = f"http://127.0.0.1:{PORTS[service]}{path}"
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    try:
        with _DIRECT.open(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError as error:
        raise NotSo(f"{address} does not answer: {error}") from None


def fetch_json(service: str, path: str) -> Any:
    status, text = fetch(service, path)
    if status != 200:
        raise NotSo(f"{service} answers {path} with {status}: {text[:200]}")
    return json.loads(text)
