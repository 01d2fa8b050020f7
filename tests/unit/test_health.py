"""Probes and metrics are where they are asked for, by either version of IP."""

from __future__ import annotations

import socket

import pytest
from prometheus_client import CollectorRegistry

from demo.stack import fetch
from worker.health import HealthServer


def listens(host: str) -> bool:
    try:
        socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_probes_answer_by_ip_of_either_version(host: str, shown: str) -> None:
    if not listens(host):
        pytest.skip(f"this machine has no {host}")
    server = HealthServer(
        host, 0, CollectorRegistry(), live=lambda: (True, "ok"), ready=lambda: (False, "not yet")
    )
    server.start()
    try:
        assert fetch(f"http://{shown}:{server.port}/livez") == (200, "ok\n")
        assert fetch(f"http://{shown}:{server.port}/readyz")[0] == 503
    finally:
        server.stop()
