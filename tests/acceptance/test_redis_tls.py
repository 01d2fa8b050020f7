"""Everything over TLS with a private CA: own client, Celery, commands."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from demo.stack import cli, eventually
from producers import SignalProducer
from tests.acceptance.conftest import Ledger
from tests.conftest import Workers
from tests.servers import RedisServer
from worker.lanes.redis import RedisError, connect
from worker.paper import PaperServer
from worker.settings import Settings

SECRET = "p@ss"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates: of the server and its CA, and of somebody else."""
    folder = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    trustme.CA().cert_pem.write_to_path(str(folder / "other.pem"))
    theirs = ca.issue_cert("127.0.0.1")
    theirs.private_key_pem.write_to_path(str(folder / "key.pem"))
    theirs.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    return folder


@pytest.fixture(scope="module")
def place(folder: Path) -> Iterator[str]:
    """Host and port of a server that speaks nothing but TLS."""
    server = RedisServer(folder / "server", f'requirepass "{SECRET}"', "tls-auth-clients no")
    conf = folder / "server" / "conf"
    conf.write_text(
        conf.read_text().replace(f"port {server.port}", f"port 0\ntls-port {server.port}")
        + "".join(
            f"tls-{what}-file {folder / name}\n" for what, name in (("cert", "cert.pem"), ("key", "key.pem"))
        )
        + f"tls-ca-cert-file {folder / 'ca.pem'}\n"
    )
    place = f"127.0.0.1:{server.port}"
    server.start(wait=False)
    eventually(
        lambda: answers(f"rediss://:p%40ss@{place}?ssl_ca_certs={folder / 'ca.pem'}"), within=10, what="TLS"
    )
    yield place
    server.kill()


def answers(url: str) -> bool:
    with suppress(RedisError), connect(url) as client:
        return bool(client.ping())
    return False


def run(url: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        cli("worker", *words), capture_output=True, text=True, timeout=30, check=False,
        env={"SIGNALS_REDIS_URL": url},
    )  # fmt: skip


@pytest.mark.parametrize("verify", ["", "&ssl_cert_reqs=CERT_REQUIRED"])
def test_everything_over_tls(place: str, folder: Path, workers: Workers, prefix: str, verify: str) -> None:
    url = f"rediss://:p%40ss@{place}/2?ssl_ca_certs={folder / 'ca.pem'}{verify}"
    with (
        PaperServer() as paper,
        connect(url) as client,
        SignalProducer(settings=Settings(redis_url=url, prefix=prefix)) as producer,
    ):
        worker = workers.start(paper.webhook_url, redis_url=url, patience=600, sweep_interval=60)
        receipt = producer.send(
            {"connectorName": "a", "connectorToken": "token-for-tests", "action": "buy", "fixed": "1"}
        )
        # Without sweeps, only what Celery carries gets it there.
        assert Ledger(client, prefix).outcome(receipt.id) == "accepted"
        assert client.connection_pool.connection_kwargs["db"] == 2
        assert run(url, "status").returncode == 0
        assert "rediss://:***@" in run(url, "check").stdout
        assert worker.stop() == 0
        assert SECRET not in workers.logs()
        assert "p%40ss" not in workers.logs()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("ca.pem", "other.pem"), "its certificate is not trusted: ?ssl_ca_certs=FILE says whom to trust"),
        (("ca.pem", "none.pem"), "there is no such file"),
        (("rediss", "redis"), "ssl_ca_certs is for rediss:// (TLS)"),
    ],
)
def test_wrong_trust_is_one_line(place: str, folder: Path, change: tuple[str, str], words: str) -> None:
    url = f"rediss://:p%40ss@{place}?ssl_ca_certs={folder / 'ca.pem'}".replace(*change)
    for command in ("status", "run"):
        refused = run(url, command)
        assert refused.returncode == 1
        assert refused.stderr.count("\n") == 1
        assert words in refused.stderr
        assert "p%40ss" not in refused.stderr
