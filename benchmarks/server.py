"""The server to measure on: the machine's own, built as one is in production, or the embedded one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from demo.stack import Process, Server, eventually, free_port

PROGRAMS = ("valkey-server", "redis-server")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    port: int

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


@contextmanager
def serve(folder: Path, *, appendonly: bool = True) -> Iterator[Address]:
    """A server with its files in ``folder``. Raises NotInTime.

    The embedded one has the allocator of the C library: with millions of keys, each costs it twice as much.
    """
    folder.mkdir(exist_ok=True)
    persist = "yes" if appendonly else "no"
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        with Server(folder, appendonly=persist) as embedded:
            yield Address(embedded.port)
        return
    address = Address(free_port())
    options = {
        "port": str(address.port),
        "bind": "127.0.0.1",
        "dir": str(folder),
        "appendonly": persist,
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    command = [program, *(part for name, value in options.items() for part in (f"--{name}", value))]
    with Process(command, folder / "server.log", {}):
        eventually(lambda: _answers(address), within=10, what="the server answers")
        yield address


def told(client: redis.Redis) -> str:
    """What server that is, for people."""
    about = client.info("everything")
    name = about.get("server_name", "redis")
    return f"{name} {about.get(f'{name}_version')}, {about['mem_allocator']}"


def empty(client: redis.Redis) -> None:
    """Forget everything, and be done with it: by itself the server would do it while the next is measured."""
    client.execute_command("FLUSHALL", "SYNC")


def _answers(address: Address) -> bool:
    try:
        with redis.Redis(port=address.port) as client:
            return bool(client.ping())
    except redis.ConnectionError:
        return False
