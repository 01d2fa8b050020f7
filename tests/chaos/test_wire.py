"""The wire does to real connections what it is told to."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import redis

from chaos.wire import Wire
from demo.stack import Server
from worker.lanes.redis import connect


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    with Wire(server.port) as open_wire:
        yield open_wire


@pytest.fixture
def through(wire: Wire) -> Iterator[redis.Redis]:
    with connect(f"redis://127.0.0.1:{wire.port}/0", timeout=0.3) as client:
        yield client


def test_it_passes_everything_on(through: redis.Redis) -> None:
    big = b"x" * 1_000_000
    assert through.echo(big) == big  # type: ignore[no-untyped-call]


def test_cut(wire: Wire) -> None:
    with socket.create_connection(("127.0.0.1", wire.port), timeout=5) as raw:
        raw.sendall(b"PING\r\n")
        assert raw.recv(100) == b"+PONG\r\n"
        wire.cut()
        with pytest.raises(ConnectionResetError):
            raw.recv(100)


def test_what_was_held_back_is_delivered_late(
    wire: Wire, through: redis.Redis, client: redis.Redis, prefix: str
) -> None:
    with socket.create_connection(("127.0.0.1", wire.port), timeout=5) as raw:
        raw.sendall(b"PING\r\n")
        assert raw.recv(100) == b"+PONG\r\n"
        wire.freeze()
        raw.sendall(f"SET {prefix}late 1\r\n".encode())
        with pytest.raises(redis.TimeoutError):
            through.ping()
        assert client.get(f"{prefix}late") is None
        wire.thaw()
        assert raw.recv(100) == b"+OK\r\n"
    assert client.get(f"{prefix}late") == b"1"


def test_a_lost_answer_is_to_a_command_that_was_carried_out(
    wire: Wire, through: redis.Redis, client: redis.Redis, prefix: str
) -> None:
    through.ping()
    wire.loses = 1.0
    with pytest.raises(redis.ConnectionError):
        through.set(f"{prefix}done", 1)
    assert client.get(f"{prefix}done") == b"1"
    assert wire.lost == 1
    wire.heal()
    assert through.ping()


def test_nobody_behind_it() -> None:
    with (
        Wire(1) as wire,
        connect(f"redis://127.0.0.1:{wire.port}/0", timeout=0.3) as client,
        pytest.raises(redis.ConnectionError),
    ):
        client.ping()
