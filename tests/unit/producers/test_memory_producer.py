"""What users see of ``memory://``; what it does with signals is held against the real queue elsewhere."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier

import pytest

from producers import InvalidSignal, MemoryProducer, SignalProducer
from worker.contract import Action, OrderSignal
from worker.errors import SettingsError
from worker.lanes.redis import connect
from worker.settings import load_settings

TOKEN = "0e9f7a52-8d53-4c6a-9f0e-3b1f7a2c4d5e"


def order(**fields: object) -> dict[str, object]:
    return {"connectorName": "a", "connectorToken": TOKEN, "action": "openLong", "percent": "10", **fields}


def test_what_was_sent_is_there_parsed_and_with_its_time() -> None:
    with MemoryProducer(clock=lambda: 100.0) as producer:
        late, soon = producer.send([order(delaySeconds=2.5), order(action="cancel", clientOrderId="x 1")])
        producer.send(order(percent="101"))
    first, second = producer.sent
    assert (first.id, first.due) == (soon.id, 100.0)
    assert (second.id, second.due) == (late.id, 102.5)
    assert isinstance(first.signal, OrderSignal)
    assert (first.signal.action, first.signal.client_order_id) == (Action.CANCEL, "x 1")
    assert isinstance(second.signal, OrderSignal)
    assert second.signal.percent == Decimal(10)
    assert TOKEN not in repr(producer.sent)


def test_it_can_be_emptied() -> None:
    producer = MemoryProducer()
    producer.send(order(clientOrderId="1"))
    producer.clear()
    assert producer.sent == []
    assert producer.send(order(clientOrderId="1", percent="20")).ok


def test_each_has_a_queue_of_its_own() -> None:
    first, second = MemoryProducer(), MemoryProducer()
    first.send(order(clientOrderId="1"))
    assert second.sent == []
    assert str(second.send(order(clientOrderId="1")).status) == "accepted"


def test_code_that_makes_its_own_producer_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with MemoryProducer("memory://one") as one, MemoryProducer("memory://two") as two:
        monkeypatch.setenv("SIGNALS_REDIS_URL", "memory://one")
        with SignalProducer() as producer:
            receipt = producer.send(order(clientOrderId="1"))
        with SignalProducer("memory://one") as producer:
            assert str(producer.send(order(clientOrderId="1")).status) == "duplicate"
        assert [sent.id for sent in one.sent] == [receipt.id]
        assert two.sent == []


def test_of_the_same_name_the_latest_is_found() -> None:
    first, second = MemoryProducer("memory://again"), MemoryProducer("memory://again")
    with SignalProducer("memory://again") as producer:
        producer.send(order())
    first.close()
    with SignalProducer("memory://again") as producer:
        producer.send(order())
    assert (len(first.sent), len(second.sent)) == (0, 2)


def test_orders_that_nobody_would_look_at_are_not_taken() -> None:
    MemoryProducer("memory://closed").close()
    for url in ("memory://closed", "memory://never"):
        with pytest.raises(SettingsError, match=rf'nobody has opened MemoryProducer\("{url}"\)'):
            SignalProducer(url)


def test_a_command_takes_none_either() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from producers.cli import main; main()", "send", "--json", "{}"],
        env={"SIGNALS_REDIS_URL": "memory://"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("signal-producer: SIGNALS_REDIS_URL: memory:// is for tests only")
    assert done.stderr.count("\n") == 1
    with pytest.raises(SettingsError, match="this needs Redis"):
        connect("memory://")


def test_it_needs_a_url_of_its_kind() -> None:
    with pytest.raises(SettingsError, match="must start with memory://"):
        MemoryProducer("redis://127.0.0.1:6379/0")


def test_settings_hold_as_they_do_for_real(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALS_REQUIRE_SIZE", "true")
    unsized = order(percent=None)
    assert str(MemoryProducer().send(unsized).status) == "invalid"
    lenient = load_settings(require_size=False, max_percent=300)
    producer = MemoryProducer(settings=lenient)
    assert producer.send(unsized).ok
    assert producer.send(order(percent="250")).ok
    assert len(producer.sent) == 2
    with pytest.raises(InvalidSignal):
        producer.send(order(), max_age=-1)


def test_a_closed_one_takes_nothing() -> None:
    producer = MemoryProducer()
    producer.close()
    producer.close()
    with pytest.raises(RuntimeError, match="closed"):
        producer.send(order())


def test_of_many_threads_one_is_accepted() -> None:
    producer, start = MemoryProducer(), Barrier(8)

    def send(number: int) -> str:
        start.wait(10)
        return str(producer.send(order(clientOrderId="1", log=str(number))).status)

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(send, range(8)))
    assert sorted(statuses) == ["accepted"] + ["duplicate"] * 7
    assert len(producer.sent) == 1


def test_neither_celery_nor_a_connection_is_needed() -> None:
    code = (
        "import socket, sys; socket.socket.connect = None\n"
        "from producers import MemoryProducer\n"
        "MemoryProducer().send({'connectorName': 'a', 'connectorToken': 't', 'action': 'cancelAll'})\n"
        "print('celery' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "False\n"
