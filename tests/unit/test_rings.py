"""What is set beside Celery's own settings."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from kombu.exceptions import OperationalError
from kombu.transport.virtual import base
from kombu.utils import functional
from kombu.utils.div import emergency_dump_state

from demo.stack import free_port
from worker.rings import leave_no_files, make_app


def test_a_broker_that_is_away_is_looked_for_every_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(functional, "sleep", lambda _seconds: None)
    app = make_app(f"redis://127.0.0.1:{free_port()}/0", "t:")
    with app.connection_for_read() as connection, pytest.raises(OperationalError):
        connection.ensure_connection(lambda _error, pause: pauses.append(pause), 8)
    assert len(pauses) == 8
    assert max(pauses) <= 2


def test_rings_that_cannot_be_given_back_leave_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(base, "emergency_dump_state", emergency_dump_state)
    leave_no_files()
    base.emergency_dump_state([{"body": "rings"}], stderr=io.StringIO())
    assert list(tmp_path.iterdir()) == []


def test_a_producer_leaves_the_celery_of_its_host_alone() -> None:
    code = """
from celery import Celery, current_app
from kombu.transport.virtual import base
from kombu.utils.div import emergency_dump_state
theirs = Celery("theirs", broker="memory://")
from producers import SignalProducer
with SignalProducer("redis://127.0.0.1:1/0"):
    assert current_app._get_current_object() is theirs
    assert base.emergency_dump_state is emergency_dump_state
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
