"""Real parts for the tests: one embedded server per test process, a key prefix per test."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from demo.stack import Process, Server, start_worker
from worker.lanes import Lanes, Timing
from worker.lanes.redis import connect
from worker.paper import PaperServer

_numbers = itertools.count(1)

for _name in [name for name in os.environ if name.startswith("SIGNALS_")]:
    del os.environ[_name]  # settings of the person who runs the tests are not theirs

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would all they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="session")
def redis_url(server: Server) -> str:
    return server.url


@pytest.fixture
def prefix() -> str:
    return f"t{os.getpid()}-{next(_numbers)}:"


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url) as open_client:
        yield open_client


@pytest.fixture
def lanes(client: redis.Redis, prefix: str) -> Lanes:
    return Lanes(client, prefix=prefix, timing=Timing())


@pytest.fixture
def paper() -> Iterator[PaperServer]:
    with PaperServer() as endpoint:
        yield endpoint


class Workers:
    """Starts workers against one server, prefix and endpoint, and stops what a test leaves running."""

    def __init__(self, redis_url: str, prefix: str, folder: Path) -> None:
        self._redis_url = redis_url
        self._prefix = prefix
        self._folder = folder
        self.running: list[Process] = []
        self.addresses: list[str] = []

    def start(self, endpoint_url: str, **settings: object) -> Process:
        log = self._folder / f"worker-{len(self.running)}.log"
        given = {"prefix": self._prefix, "redis_url": self._redis_url, **settings}
        process, address = start_worker(str(given.pop("redis_url")), endpoint_url, log, **given)  # type: ignore[arg-type]
        self.running.append(process)
        self.addresses.append(address)
        return process

    def stop(self) -> None:
        """End what a test has left running."""
        for process in self.running:
            if process.exit_code is None:
                process.stop()

    def logs(self) -> str:
        return "\n".join(process.output() for process in self.running)


@pytest.fixture
def workers(redis_url: str, prefix: str, tmp_path: Path) -> Iterator[Workers]:
    fleet = Workers(redis_url, prefix, tmp_path)
    yield fleet
    fleet.stop()
