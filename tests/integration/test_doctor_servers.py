"""The doctor before real sockets that are no fit server."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import redis

from demo.stack import cli
from worker.doctor import Finding, examine
from worker.settings import Settings


@contextmanager
def speaker(words: bytes | None) -> Iterator[int]:
    """Somebody who says ``words`` to whatever he is told, or hangs up; the port."""

    def talk() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):  # whoever called may hang up at any moment
                if connection.recv(1000) and words:
                    connection.sendall(words * 20)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(1000):
                        pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=talk)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def first_bad(url: str) -> Finding:
    settings = Settings(redis_url=url, endpoint_url="http://127.0.0.1:1/")
    return next(finding for finding in examine(settings) if finding.level == "bad")


@pytest.mark.parametrize(
    ("words", "scheme", "expected"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "redis", "not Redis"),
        (b"220 mail.example ESMTP\r\n", "redis", "not Redis"),
        (None, "redis", "hung up"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "rediss", "does not speak TLS"),
    ],
)
def test_not_redis(words: bytes | None, scheme: str, expected: str) -> None:
    with speaker(words) as port:
        finding = first_bad(f"{scheme}://:hunter2@127.0.0.1:{port}/0")
    assert finding.subject == "redis"
    assert expected in finding.text
    assert "hunter2" not in finding.text


def test_a_worker_that_finds_nobody_says_what_to_do() -> None:
    refused = subprocess.run(
        cli("worker", "run"),
        capture_output=True,
        text=True,
        timeout=30,
        env={"SIGNALS_REDIS_URL": "redis://:hunter2@127.0.0.1:1/0"},
        check=False,
    )
    assert refused.returncode == 1
    assert (
        refused.stderr
        == "signal-worker: redis://:***@127.0.0.1:1/0: nobody listens there: is Redis running?\n"
    )


def test_one_who_says_yes_to_everything_is_unfit() -> None:
    with speaker(b"+OK\r\n") as port:
        assert first_bad(f"redis://127.0.0.1:{port}/0").level == "bad"


def test_users_and_rights(client: redis.Redis, redis_url: str, prefix: str) -> None:
    user = f"low-{prefix[:-1]}"
    client.execute_command("ACL", "SETUSER", user, "on", ">pw", "~elsewhere:*", "+@all")
    try:
        wrong = first_bad(redis_url.replace("//", f"//{user}:wrong@"))
        narrow = first_bad(redis_url.replace("//", f"//{user}:pw@"))
        client.execute_command("ACL", "SETUSER", user, "-info")
        lower = first_bad(redis_url.replace("//", f"//{user}:pw@"))
    finally:
        client.execute_command("ACL", "DELUSER", user)
    assert "refuses the user or password" in wrong.text
    assert "lacks a right" in narrow.text
    assert "'info'" in lower.text
