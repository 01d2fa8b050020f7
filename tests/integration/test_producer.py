"""SignalProducer and ``signal-producer send`` against a real server."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import redis

from chaos.wire import Wire
from demo.stack import Server, cli, eventually, free_port
from producers import QueueUnavailable, SignalProducer
from worker.lanes import Lanes, Outcome, Settlement
from worker.lanes.keys import RING_QUEUE, WAKE_QUEUE
from worker.settings import load_settings

TOKEN = "0e9f7a52-8d53-4c6a-9f0e-3b1f7a2c4d5e"


def order(number: int = 1, connector: str = "alpha", **fields: Any) -> dict[str, object]:
    basis = {"connectorName": connector, "connectorToken": TOKEN, "action": "openLong", "percent": "10"}
    return {**basis, "clientOrderId": f"x{number}", **fields}


@pytest.fixture
def producer(redis_url: str, prefix: str) -> Iterator[SignalProducer]:
    with SignalProducer(settings=load_settings(redis_url=redis_url, prefix=prefix)) as made:
        yield made


@pytest.fixture
def post(lanes: Lanes) -> Callable[..., None]:
    """Ends the head of a lane, as a worker would."""

    def end(outcome: Outcome = Outcome.ACCEPTED, lane: str = "alpha") -> None:
        (head,) = lanes.checkout([lane], f"token-{time.monotonic_ns()}").heads
        lanes.settle([Settlement(head, outcome)])

    return end


def test_all_receipts(producer: SignalProducer) -> None:
    first = producer.send(order())
    assert (first.status, first.connector, first.due_in) == ("accepted", "alpha", 0)

    again = producer.send(order(log="other", connectorToken="another-token"))
    assert (again.status, again.ok, again.id, again.first_id, again.state) == (
        "duplicate",
        True,
        None,
        first.id,
        "waiting",
    )

    other = producer.send(order(percent="11"))
    assert (other.status, other.ok, other.first_id) == ("conflict", False, first.id)
    assert producer.send(order(percent="-1")).status == "invalid"

    delayed = producer.send(order(2, delaySeconds=30))
    assert (delayed.status, delayed.due_in) == ("accepted", 30)
    assert producer.send(order(2, delaySeconds=30)).state == "delayed"
    assert producer.send(order(connector="beta")).status == "accepted"


def test_what_lies_in_redis(producer: SignalProducer, client: redis.Redis, prefix: str, lanes: Lanes) -> None:
    receipt = producer.send(order(delaySeconds=1), max_age=5)
    record = client.hgetall(f"{prefix}signal:{receipt.id}")
    assert int(record[b"expires"]) - int(record[b"due"]) == 5000
    assert 1000 <= int(record[b"due"]) - int(record[b"admitted"]) <= 1001
    assert client.llen(f"{prefix}{WAKE_QUEUE}") == 1

    producer.send(order(2))
    (head,) = lanes.checkout(["alpha"], "t").heads
    assert json.loads(head.body) == order(2)
    message = client.lpop(f"{prefix}{RING_QUEUE}")
    assert isinstance(message, bytes)
    assert TOKEN.encode() not in message


def test_of_twenty_at_once_exactly_one_is_accepted(producer: SignalProducer) -> None:
    start = Barrier(20)

    def send(_: int) -> Any:
        start.wait()
        return producer.send(order())

    with ThreadPoolExecutor(20) as pool:
        receipts = list(pool.map(send, range(20)))
    (accepted,) = (receipt for receipt in receipts if receipt.status == "accepted")
    others = [receipt for receipt in receipts if receipt.status == "duplicate"]
    assert len(others) == 19
    assert {receipt.first_id for receipt in others} == {accepted.id}


def test_cancels_of_an_id_are_no_duplicates_of_it(producer: SignalProducer) -> None:
    cancel = {"connectorName": "alpha", "connectorToken": TOKEN, "action": "cancel", "clientOrderId": "x1"}
    assert producer.send(order(delaySeconds=30)).status == "accepted"
    assert producer.send(cancel).status == "accepted"
    assert producer.send(cancel).status == "accepted"
    # The order was dropped before it was posted, so its id is free again.
    assert producer.send(order(delaySeconds=30)).status == "accepted"


def test_an_id_may_be_used_again_after_its_window(
    producer: SignalProducer, post: Callable[..., None]
) -> None:
    producer.send(order(), dedup_window=0.3)
    post()
    assert producer.send(order(), dedup_window=0.3).state == "accepted"
    eventually(lambda: producer.send(order()).status == "accepted", within=5, what="the window ends")


def test_an_id_is_free_at_once_when_no_order_was_placed(
    producer: SignalProducer, post: Callable[..., None]
) -> None:
    producer.send(order())
    post(Outcome.REJECTED)
    assert producer.send(order()).status == "accepted"
    post(Outcome.UNKNOWN)
    assert producer.send(order()).status == "duplicate"


def test_idempotency_keys_are_a_namespace_of_their_own(producer: SignalProducer) -> None:
    plain = {"connectorName": "alpha", "connectorToken": TOKEN, "action": "buy", "percent": "1"}
    assert producer.send(plain, idempotency_key="x1").status == "accepted"
    assert producer.send(plain, idempotency_key="x1").status == "duplicate"
    assert producer.send({**plain, "percent": "2"}, idempotency_key="x1").status == "conflict"
    assert producer.send({**plain, "connectorName": "beta"}, idempotency_key="x1").status == "accepted"
    assert producer.send(order(1)).status == "accepted"
    assert producer.send(plain).status == "accepted"
    assert producer.send(plain).status == "accepted"


def test_many(producer: SignalProducer, client: redis.Redis, prefix: str) -> None:
    """Order is kept over batches, duplicates are found in them and across them."""
    signals = [order(number, connector=f"c{number % 7}") for number in range(1200)]
    bad: dict[str, object] = {"action": "buy"}
    receipts = producer.send([*signals[:600], bad, *signals[600:], signals[0], signals[-1]])
    statuses = [receipt.status for receipt in receipts]
    assert statuses == ["accepted"] * 600 + ["invalid"] + ["accepted"] * 600 + ["duplicate"] * 2
    ids = [receipt.id for receipt in receipts if receipt.connector == "c3" and receipt.id]
    assert client.lrange(f"{prefix}lane:c3", 0, -1) == [str(name).encode() for name in ids]
    assert receipts[-1].first_id == receipts[-3].id


def test_without_a_server_it_says_so_in_time(prefix: str) -> None:
    settings = load_settings(
        redis_url=f"redis://127.0.0.1:{free_port()}/0", prefix=prefix, redis_patience=0.3
    )
    with SignalProducer(settings=settings) as producer:
        started = time.monotonic()
        with pytest.raises(QueueUnavailable, match="SIGNALS_REDIS_URL") as caught:
            producer.send(order())
        assert time.monotonic() - started < 10
        assert "\n" not in str(caught.value)
        with pytest.raises(QueueUnavailable):
            producer.send([order()])


def test_a_server_that_never_answers_is_given_up_on(prefix: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        settings = load_settings(redis_url=url, prefix=prefix, redis_patience=0.3, redis_timeout=0.2)
        with SignalProducer(settings=settings) as producer:
            started = time.monotonic()
            with pytest.raises(QueueUnavailable, match="does not answer"):
                producer.send(order())
            assert time.monotonic() - started < 10


def test_a_lost_answer_doubles_nothing_even_without_ids(
    server: Server, client: redis.Redis, prefix: str
) -> None:
    nameless = order()
    del nameless["clientOrderId"]
    with Wire(server.port) as wire:
        url = f"redis://127.0.0.1:{wire.port}/0"
        settings = load_settings(redis_url=url, prefix=prefix, redis_timeout=0.5, redis_patience=60)
        with SignalProducer(settings=settings, bell=NoBell()) as producer:
            wire.loses, receipts = 0.1, []
            while wire.lost < 10:
                receipts.append(producer.send(nameless))
    assert {receipt.status for receipt in receipts} == {"accepted"}
    assert len({receipt.id for receipt in receipts}) == client.llen(f"{prefix}lane:alpha") == len(receipts)


class NoBell:
    def ring(self, lanes: object) -> tuple[str, ...]:
        return ()

    def wake(self, slots_ms: object, now_ms: int) -> None: ...


def test_an_accepted_signal_needs_no_ring(
    redis_url: str, prefix: str, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """A broker that takes no message costs latency, not the signal."""
    client.set(f"{prefix}{RING_QUEUE}", "not a list")
    with SignalProducer(settings=load_settings(redis_url=redis_url, prefix=prefix)) as producer:
        assert producer.send(order()).status == "accepted"
    assert "ring lost" in caplog.text


IMPORTS = """
import sys
heavy = ("requests", "prometheus_client", "celery.worker", "worker.dispatch", "worker.delivery", "worker.app")
import producers
assert "celery" not in sys.modules
assert not [name for name in heavy if name in sys.modules]
with producers.SignalProducer(sys.argv[1]) as producer:
    signal = {"connectorName": "imports", "connectorToken": "t", "action": "buy"}
    assert producer.send({**signal, "delaySeconds": 1}).ok and producer.send(signal).ok
print([name for name in heavy if name in sys.modules])
"""


def test_a_producer_loads_nothing_of_the_worker(redis_url: str, prefix: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORTS, redis_url],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "SIGNALS_PREFIX": prefix},
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.fixture
def run(redis_url: str, prefix: str, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs ``signal-producer``; a token never shows in what it prints."""

    def call(*arguments: str, stdin: str = "", **settings: object) -> subprocess.CompletedProcess[str]:
        given = {"redis_url": redis_url, "prefix": prefix, **settings}
        done = subprocess.run(
            cli("producers", *arguments),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(Path.cwd()),
                **{f"SIGNALS_{name.upper()}": str(value) for name, value in given.items()},
            },
            check=False,
        )
        assert TOKEN not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return call


Run = Callable[..., subprocess.CompletedProcess[str]]


def test_send_by_fields(run: Run, tmp_path: Path, lanes: Lanes) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    fields = ["--connector", "my account", "--action", "openLong", "--percent", "10.50"]
    done = run("send", *fields, "--client-order-id", "x1", "--token-file", "token")
    (receipt,) = map(json.loads, done.stdout.splitlines())
    assert (done.returncode, receipt["status"], done.stderr) == (0, "accepted", "")
    (head,) = lanes.checkout(["my account"], "t").heads
    assert json.loads(head.body) == {
        "connectorName": "my account",
        "connectorToken": TOKEN,
        "action": "openLong",
        "percent": "10.50",
        "clientOrderId": "x1",
    }


def test_send_to_a_group(run: Run, tmp_path: Path) -> None:
    accounts = [{"name": f"a{n}", "token": TOKEN, "groups": ["desk"]} for n in range(3)]
    (tmp_path / "accounts.json").write_text(json.dumps({"accounts": accounts}))
    arguments = ["send", "--group", "desk", "--action", "cancelAll", "--idempotency-key", "k"]
    for status in ("accepted", "duplicate"):
        done = run(*arguments, accounts_file="accounts.json")
        receipts = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 0
        assert [(one["connector"], one["status"]) for one in receipts] == [
            (f"a{n}", status) for n in range(3)
        ]
    done = run(*arguments)
    assert "set SIGNALS_ACCOUNTS_FILE" in json.loads(done.stdout)["error"]


def test_send_json_lines_from_standard_input(run: Run) -> None:
    done = run(
        "send", "-", stdin=f"{json.dumps(order())}\n{json.dumps(order())}\n{json.dumps(order(percent=0))}\n"
    )
    statuses = [json.loads(line)["status"] for line in done.stdout.splitlines()]
    assert (done.returncode, statuses) == (1, ["accepted", "duplicate", "invalid"])


def test_send_shows_a_table(run: Run) -> None:
    done = run("send", "--json", json.dumps([order(), order(2, delaySeconds=3)]), "--output", "table")
    assert done.returncode == 0
    assert "accepted" in done.stdout
    assert "due in 3 s" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["send"], 2, "give exactly one of"),
        (["send", "--json", "{}", "--action", "buy"], 2, "give exactly one of"),
        (["send", "-"], 2, "standard input is empty"),
        (["send", "--action", "buy", "--max-age", "0"], 2, "max-age"),
        (["send", "--action", "buy", "--token-file", "no-such"], 2, "no-such"),
        (["send", "--json", "[{}, {}]", "--idempotency-key", "k"], 1, "give a list, one each"),
        (["sned"], 2, "sned"),
        (["load"], 2, "FILE"),
        (["load", "signals"], 2, "add --format"),
        (["load", "no-such.csv"], 1, "No such file"),
    ],
)
def test_wrong_usage(run: Run, arguments: list[str], code: int, why: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert why in done.stderr


def test_an_unset_shell_variable_does_not_become_a_full_size_order(run: Run) -> None:
    done = run("send", "--connector", "a", "--action", "buy", "--percent", "")
    assert done.returncode == 1
    assert json.loads(done.stdout)["status"] == "invalid"


def test_send_without_a_server_is_one_line(run: Run) -> None:
    done = run(
        "send",
        "--json",
        json.dumps(order()),
        redis_url=f"redis://127.0.0.1:{free_port()}",
        redis_patience=0.2,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("signal-producer: Redis does not answer")
    assert done.stderr.endswith("; nothing was sent\n")


def test_a_wrong_setting_is_one_line(run: Run) -> None:
    done = run("send", "--json", "{}", lesae=1)
    assert (done.returncode, done.stderr) == (
        1,
        "signal-producer: SIGNALS_LESAE: no such setting; did you mean SIGNALS_LEASE?\n",
    )
