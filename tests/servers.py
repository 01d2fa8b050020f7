"""Redis as Debian ships it: it has what the embedded server lacks (sentinels, TLS) and lacks WAITAOF."""

from __future__ import annotations

import signal
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from demo.stack import Process, eventually, free_port
from tests.programs import program as installed


class RedisServer:
    """One process of ``redis-server`` or ``redis-sentinel`` that keeps port and data over restarts."""

    def __init__(
        self, folder: Path, *lines: str, program: str = "redis-server", password: str | None = None
    ) -> None:
        folder.mkdir(parents=True)
        self.port = free_port()
        self._log, self._password = folder / "log", password
        self._command = [installed(program), str(folder / "conf")]
        basis = [f"port {self.port}", "bind 127.0.0.1", f"dir {folder}"]
        if program == "redis-server":
            basis += [
                'save ""',
                "appendonly yes",
                "maxmemory-policy noeviction",
                "repl-diskless-sync-delay 0",
            ]
        (folder / "conf").write_text("\n".join([*basis, *lines]) + "\n")
        self._process: Process | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, password=self._password, socket_timeout=2, decode_responses=True)

    def start(self, *, wait: bool = True) -> Self:
        self._process = Process(self._command, self._log, {})
        if wait:
            eventually(self.answers, within=10, what=f"a Redis server starts: {self._log}")
        return self

    def answers(self) -> bool:
        with suppress(redis.RedisError), self.client as client:
            return bool(client.ping())
        return False

    def kill(self) -> None:
        if self._process is not None:
            self._process.send(signal.SIGCONT)
            self._process.kill()
            self._process = None

    def freeze(self) -> None:
        """Stop it without closing anything, until ``thaw``."""
        assert self._process is not None
        self._process.send(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send(signal.SIGCONT)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


class Trio:
    """A primary, a replica and three sentinels, all with passwords."""

    NAME, PASSWORD, SENTINEL_PASSWORD = "trading", "p@ss/word", "watch:me"

    def __init__(self, folder: Path) -> None:
        secret = (f'requirepass "{self.PASSWORD}"', f'masterauth "{self.PASSWORD}"')
        self.primary = RedisServer(folder / "one", *secret, password=self.PASSWORD)
        self.replica = RedisServer(
            folder / "two",
            *secret,
            f"replicaof 127.0.0.1 {self.primary.port}",
            password=self.PASSWORD,
        )
        self.sentinels = [
            RedisServer(
                folder / f"sentinel-{number}",
                f'requirepass "{self.SENTINEL_PASSWORD}"',
                f'sentinel sentinel-pass "{self.SENTINEL_PASSWORD}"',
                f"sentinel monitor {self.NAME} 127.0.0.1 {self.primary.port} 2",
                f'sentinel auth-pass {self.NAME} "{self.PASSWORD}"',
                f"sentinel down-after-milliseconds {self.NAME} 2000",
                f"sentinel failover-timeout {self.NAME} 3000",
                program="redis-sentinel",
                password=self.SENTINEL_PASSWORD,
            )
            for number in range(3)
        ]
        self._stack = ExitStack()

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in self.sentinels)
        return f"sentinel://:p%40ss%2Fword@{hosts}/{self.NAME}/0?sentinel_password=watch%3Ame"

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.primary)
            stack.enter_context(self.replica)
            for one in self.sentinels:
                stack.enter_context(one)
            eventually(lambda: all(map(self._knows_all, self.sentinels)), within=20, what="sentinels agree")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _knows_all(self, sentinel: RedisServer) -> bool:
        with sentinel.client as client:
            state = client.sentinel_master(self.NAME)
            replicas = client.sentinel_slaves(self.NAME)
        return (
            state["num-other-sentinels"] == 2
            and len(replicas) == 1
            and replicas[0].get("master-link-status") == "ok"
        )
