"""A Redis of one's own, with the very environment and files that the chart gives to a worker."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme

from demo.stack import Process, Server, cli, eventually, fetch, free_port
from producers import SignalProducer
from tests.helm.release import FEATURES, Release, merged
from tests.servers import RedisServer, Trio
from worker.lanes.redis import RedisError, connect
from worker.paper import PaperServer
from worker.settings import Settings


class Pod:
    """The worker of a release as a process: its mounted files are in a folder, its Secrets are given."""

    def __init__(self, values: dict[str, Any], url: str, folder: Path, endpoint: str = "") -> None:
        self.release = Release(values)
        redis = values["redis"]
        secrets = {redis["existingSecret"]: {redis.get("workerKey", "url"): url}}
        given = self.release.environment("worker", secrets)
        self._port = free_port()
        own = {"SIGNALS_METRICS_HOST": "127.0.0.1", "SIGNALS_METRICS_PORT": str(self._port)}
        if endpoint:
            own["SIGNALS_ENDPOINT_URL"] = endpoint
        self.environment = {
            name: value.replace("/etc/signal-dispatch", str(folder)) for name, value in (given | own).items()
        }
        self._folder = folder

    def mount(self, secret: str, data: dict[str, str]) -> None:
        """Put the Secret's keys where the pod's volumes say."""
        spec = self.release.pod("worker")
        (volume,) = [one for one in spec["volumes"] if one.get("secret", {}).get("secretName") == secret]
        mounts = spec["containers"][0]["volumeMounts"]
        (path,) = [one["mountPath"] for one in mounts if one["name"] == volume["name"]]
        folder = Path(path.replace("/etc/signal-dispatch", str(self._folder)))
        folder.mkdir(parents=True)
        items = volume["secret"].get("items") or [{"key": key, "path": key} for key in data]
        for item in items:
            (folder / item["path"]).write_text(data[item["key"]])

    def check(self) -> list[dict[str, str]]:
        """What ``signal-worker check`` says of everything but the endpoint."""
        done = subprocess.run(
            cli("worker", "check", "--json"),
            env={"PATH": os.environ["PATH"], **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        found = [json.loads(line) for line in done.stdout.splitlines()]
        assert found, done.stderr
        return [one for one in found if one["subject"] != "endpoint"]

    def start(self) -> Process:
        command = self.release.container("worker")["command"]
        assert command == ["signal-worker", "run"]
        process = Process(cli("worker", "run"), self._folder / "log", self.environment)
        ready = f"http://127.0.0.1:{self._port}/readyz"
        eventually(lambda: fetch(ready)[0] == 200, within=30, what=f"ready: {self._folder}/log")
        return process


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Place of a server that speaks nothing but TLS, and the certificate of its private CA."""
    folder = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    theirs = ca.issue_cert("127.0.0.1")
    trusted = ca.cert_pem.bytes().decode()
    for name, pem in (
        ("key", theirs.private_key_pem),
        ("cert", theirs.cert_chain_pems[0]),
        ("ca", ca.cert_pem),
    ):
        pem.write_to_path(str(folder / f"{name}.pem"))
    server = RedisServer(
        folder / "server",
        "tls-auth-clients no",
        f"tls-cert-file {folder}/cert.pem",
        f"tls-key-file {folder}/key.pem",
        f"tls-ca-cert-file {folder}/ca.pem",
    )
    conf = folder / "server" / "conf"
    conf.write_text(conf.read_text().replace(f"port {server.port}", f"port 0\ntls-port {server.port}", 1))
    server.start(wait=False)
    place = f"127.0.0.1:{server.port}"

    def answers() -> bool:
        try:
            with connect(f"rediss://{place}?ssl_ca_certs={folder}/ca.pem") as client:
                return bool(client.ping())
        except RedisError:
            return False

    eventually(answers, within=20, what="TLS")
    yield place, trusted
    server.kill()


def test_a_private_ca_is_where_the_values_say(tls: tuple[str, str], tmp_path: Path) -> None:
    place, trusted = tls
    url = f"rediss://{place}/0?ssl_ca_certs=/etc/signal-dispatch/redis-ca/ca.crt"
    pod = Pod(FEATURES["tls"], url, tmp_path)
    pod.mount("redis-ca", {"tls.crt": trusted})
    assert {one["level"] for one in pod.check()} == {"ok"}
    with pod.start() as worker:
        assert worker.exit_code is None


def test_sentinels_by_a_secret(tmp_path: Path) -> None:
    values = merged(FEATURES["redis"], {"settings": {"durability": "replicas"}})
    with Trio(tmp_path / "trio") as trio:
        pod = Pod(values, trio.url, tmp_path / "pod")
        (tmp_path / "pod").mkdir()
        assert {one["level"] for one in pod.check()} == {"ok"}
        with pod.start() as worker:
            assert worker.exit_code is None


def test_several_releases_share_a_server_and_nothing_else(tmp_path: Path) -> None:
    """As the page splits connectors: each release has a prefix of its own."""
    with ExitStack() as stack:
        server = stack.enter_context(Server(tmp_path / "server"))
        papers = {}
        for desk in ("desk-a:", "desk-b:"):
            papers[desk] = stack.enter_context(PaperServer())
            folder = tmp_path / desk.strip(":")
            folder.mkdir()
            values = merged(FEATURES["redis"], {"settings": {"prefix": desk}})
            stack.enter_context(Pod(values, server.url, folder, papers[desk].webhook_url).start())
        for desk in papers:
            settings = Settings(redis_url=server.url, prefix=desk)
            with SignalProducer(settings=settings) as producer:
                producer.send(
                    {
                        "connectorName": desk.strip(":"),
                        "connectorToken": "token-for-tests",
                        "action": "closeLong",
                        "clientOrderId": "same",
                    }
                )
        for desk, paper in papers.items():
            paper.wait_for_receipts(1, timeout=20)
            assert [one.connector for one in paper.receipts] == [desk.strip(":")]
