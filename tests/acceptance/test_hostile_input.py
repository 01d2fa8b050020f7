"""Whatever is sent, loaded or written into Redis by somebody else is refused or handled and harms nobody."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from demo.stack import cli, eventually
from producers import Receipt, SignalProducer
from tests.acceptance.conftest import Ledger
from tests.conftest import Workers
from worker.paper import PaperServer

TOKEN = "tok-S3CRET-8f2e"
ORDER = {"connectorName": "acct", "connectorToken": TOKEN, "action": "openLong", "fixed": "1"}


def text(**fields: str) -> str:
    """An order as JSON, with values that are JSON already."""
    whole = {**{name: json.dumps(value) for name, value in ORDER.items()}, **fields}
    return "{" + ",".join(f'"{name}":{value}' for name, value in whole.items()) + "}"


def nested(depth: int) -> object:
    value: object = "x"
    for _ in range(depth):
        value = [value]
    return value


DEEP = 100_000
BODIES: dict[str, Any] = {
    "oversized": text(log=json.dumps("x" * 20_000)),
    "oversized by far": text(log=json.dumps("x" * 900_000)),
    "lists in lists": "[" * DEEP,
    "objects in objects": '{"a":' * DEEP,
    "deep in a field": text(log="[" * 5_000 + "]" * 5_000),
    "not UTF-8": text().encode() + b"\xff\xfe",
    "not UTF-8 in a text": text(log='"?"').encode().replace(b"?", b"\xc3"),
    "a million digits": text(fixed="9" * 1_000_000),
    "a million digits as text": text(fixed='"' + "9" * 1_000_000 + '"'),
    "five thousand digits": text(fixed="9" * 5_000),
    "a huge exponent": text(fixed="1e999999"),
    "a tiny exponent": text(fixed="1e-999999"),
    "a huge exponent of a delay": text(delaySeconds="1e999999"),
    "an exponent of many digits": text(fixed="1e" + "9" * 1_000),
    "not a number": text(fixed="NaN"),
    "infinite": text(fixed="-Infinity"),
    "NUL": text(log='"\\u0000"'),
    "NUL in the name": text(connectorName='"a\\u0000b"'),
    "half a surrogate pair": text(log='"\\ud83d"'),
    "half a surrogate pair in the id": text(clientOrderId='"\\udc00"'),
    "one name twice": text() [:-1] + ',"fixed":"100"}',
    "one name twice, escaped": text() [:-1] + ',"\\u0066ixed":"100"}',
    "an id of emoji": text(clientOrderId='"🚀"'),
    "an id of 65 characters": text(clientOrderId='"' + "x" * 65 + '"'),
    "an id of a line break": text(clientOrderId='"a\\nb"'),
    "a name of 129 characters": text(connectorName='"' + "x" * 129 + '"'),
    "a name of 10,000 characters": text(connectorName='"' + "x" * 10_000 + '"'),
    "a name of two lines": text(connectorName='"a\\nb"'),
    "a name of blanks": text(connectorName='"  "'),
    "an unknown field of brackets": text(**{"[" * 100: "1"}),
}  # fmt: skip
OBJECTS: dict[str, Any] = {
    "deep": lambda: {**ORDER, "log": nested(5_000)},
    "a huge int": lambda: {**ORDER, "fixed": 10**1_000_000},
    "a huge Decimal": lambda: {**ORDER, "fixed": Decimal("1e999999")},
    "infinite": lambda: {**ORDER, "fixed": float("inf")},
    "a lone surrogate": lambda: {**ORDER, "connectorName": "\ud800"},
    "bytes": lambda: {**ORDER, "connectorName": b"acct"},
    "no text for a key": lambda: {**ORDER, 5: 5, None: None, ("a",): 1},
}


def assert_refused(receipt: Receipt) -> None:
    assert receipt.status == "invalid"
    assert receipt.error is not None
    assert receipt.error.isprintable()
    assert len(receipt.error) < 500
    assert TOKEN not in receipt.error


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_is_refused_in_one_line(name: str, producer: SignalProducer, ledger: Ledger) -> None:
    body = BODIES[name]
    for given in (body, body.encode() if isinstance(body, str) else body):
        answer = producer.send(given)
        assert_refused(answer if isinstance(answer, Receipt) else answer[0])
    assert list(ledger.client.scan_iter(f"{ledger.prefix}*")) == []


@pytest.mark.parametrize("name", OBJECTS)
def test_a_bad_object_is_refused_in_one_line(name: str, producer: SignalProducer, ledger: Ledger) -> None:
    assert_refused(producer.send(OBJECTS[name]()))
    assert list(ledger.client.scan_iter(f"{ledger.prefix}*")) == []


def run(package: str, *arguments: str, stdin: bytes = b"", **settings: str) -> tuple[int, str, str]:
    """Exit code and what a command of ours says, which is never a traceback and never the token."""
    done = subprocess.run(
        cli(package, *arguments), input=stdin, capture_output=True, timeout=60, check=False,
        env={**os.environ, **settings},
    )  # fmt: skip
    said, complained = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in complained
    assert TOKEN not in said + complained
    return done.returncode, said, complained


@pytest.mark.parametrize("command", ["send", "load"])
def test_the_command_line_takes_the_good_ones_and_says_what_is_wrong_with_the_others(
    command: str, redis_url: str, prefix: str, ledger: Ledger, tmp_path: Path
) -> None:
    # given: lines of all kinds, a good one before and behind
    bodies = [body if isinstance(body, bytes) else body.encode() for body in BODIES.values()]
    lines = [text(clientOrderId='"n-1"').encode(), *bodies, text(clientOrderId='"n-2"').encode()]
    environment = {"SIGNALS_REDIS_URL": redis_url, "SIGNALS_PREFIX": prefix}
    whole = b"\n".join(lines) + b"\n"
    if command == "send":
        code, said, complained = run("producers", "send", "-", stdin=whole, **environment)
        statuses = [json.loads(line)["status"] for line in said.splitlines()]
        assert statuses == ["accepted", *["invalid"] * len(bodies), "accepted"]
    else:
        path = tmp_path / "signals.jsonl"
        path.write_bytes(whole)
        code, said, complained = run("producers", "load", str(path), "--output", "json", **environment)
        assert json.loads(said)["invalid"] == len(bodies)
    assert code == 1
    assert complained.replace("\n", "").isprintable()
    assert ledger.count("waiting") == 2


NAMES = [
    *(
        "acct:x",
        "a b",
        "{acct}",
        "{}",
        "a{b}c",
        "*",
        "acct*",
        "?",
        "[a-z]",
        "\\",
        "'\"",
        "$(x)",
        "%s",
        "-1",
        "0",
    ),
    *(
        "rung",
        "lanes",
        "lane:acct",
        "leases",
        "wakeups",
        "calendar",
        "counts",
        "seq",
        "dead",
        "check",
        "rings",
    ),
    *("wakes", "signal:", "body:", "4:acct", "order:4:acct", "_kombu", "true", "null", "ACCT"),
    *("a\u202eb", "\u200fab", "\u00a0a", "\u0430cct", "\uff41cct", "acct\u200b", "e\u0301", "\u00e9"),
    *("x" * 128, "\u8d44" * 128, "\U0001f680 moon \U0001f468\u200d\U0001f469\u200d\U0001f467"),
]
"""Names that are allowed, however odd: each is an account of its own."""
IDS = ["n:1", "*", "{n}", "4:acct:n-1", "acct:n-1", "rung", "~" * 64, "n 1"]


def test_an_odd_name_is_an_account_of_its_own(
    producer: SignalProducer,
    ledger: Ledger,
    workers: Workers,
    paper: PaperServer,
    redis_url: str,
    prefix: str,
) -> None:
    # given: one plain account, whose keys nobody else may touch
    names = ["acct", *NAMES]
    names += [f"{prefix}lane:acct", f"{prefix}rung"]
    due = [
        {**ORDER, "connectorName": name, "clientOrderId": order} for name in names for order in ("n-1", *IDS)
    ]
    later = [{**ORDER, "connectorName": name, "delaySeconds": 600} for name in names]
    keys = [f"{order['clientOrderId']}" for order in due]
    # when
    taken = producer.send(due, idempotency_key=keys)
    delayed = producer.send(later)
    # then: all are taken, each under keys of its own and no others
    assert {str(one.status) for one in (*taken, *delayed)} == {"accepted"}
    expected = {f"{kind}:{one.id}" for one in (*taken, *delayed) for kind in ("signal", "body")}
    for name in names:
        expected |= {f"lane:{name}", f"later:{name}"}
        for order in ("n-1", *IDS):
            expected |= {f"claim:{kind}:{len(name.encode())}:{name}:{order}" for kind in ("order", "key")}
    expected |= {"lanes", "rung", "calendar", "counts", "totals", "seq", "rings"}
    found = {key.decode().removeprefix(prefix) for key in ledger.client.scan_iter(f"{prefix}*", count=5000)}
    assert {key for key in found if not key.startswith("_kombu.binding")} == expected
    assert producer.send(due[0]).status == "duplicate"
    # and when they are posted
    workers.start(paper.webhook_url, entry_expiry=600)
    eventually(lambda: ledger.count("waiting") == 0, within=30, what="all are posted")
    arrived = Counter((one.connector, one.client_order_id) for one in paper.receipts)
    assert arrived == Counter((order["connectorName"], order["clientOrderId"]) for order in due)
    assert {ledger.record(one.id)["outcome"] for one in taken} == {"accepted"}
    assert ledger.count("delayed") == len(names)
    assert_shown_safely(redis_url, prefix)


def spoil(ledger: Ledger, one: Receipt, **fields: object) -> None:
    ledger.client.hset(f"{ledger.prefix}signal:{one.id}", mapping=fields)  # type: ignore[arg-type]


def body(ledger: Ledger, one: Receipt, value: str | bytes) -> None:
    ledger.client.set(f"{ledger.prefix}body:{one.id}", value)


def retyped(ledger: Ledger, one: Receipt, kind: str) -> None:
    """A key that is a list instead."""
    ledger.client.delete(f"{ledger.prefix}{kind}:{one.id}")
    ledger.client.rpush(f"{ledger.prefix}{kind}:{one.id}", "x")


SPOILT: dict[str, Callable[[Ledger, Receipt], object]] = {
    **{
        f"{field} {value!r}": lambda ledger, one, field=field, value=value: spoil(
            ledger, one, **{field: value}
        )
        for field in ("seq", "admitted", "due", "expires", "window", "attempts", "unknowns")
        for value in ("x", "", "-5", "1.5", "1e999999", "nan", "0x10", "9" * 400, b"\xff")
    },
    **{
        f"{field} {value!r}": lambda ledger, one, field=field, value=value: spoil(
            ledger, one, **{field: value}
        )
        for field in ("connector", "action", "class", "state", "token", "history", "print", "order", "drops")
        for value in ("", "plain", "finished", "a\nb\x1b[31m", b"\xff\x00", "x" * 100_000)
    },
    "state dead": lambda ledger, one: spoil(ledger, one, state="dead", outcome="unknown"),
    "no record": lambda ledger, one: ledger.client.delete(f"{ledger.prefix}signal:{one.id}"),
    "no body": lambda ledger, one: ledger.client.delete(f"{ledger.prefix}body:{one.id}"),
    "record of another type": lambda ledger, one: retyped(ledger, one, "signal"),
    "body of another type": lambda ledger, one: retyped(ledger, one, "body"),
    **{
        f"body {name}": lambda ledger, one, value=value: body(ledger, one, value)
        for name, value in BODIES.items()
    },
}


def test_spoilt_records_are_judged_and_nobody_else_suffers(
    producer: SignalProducer,
    ledger: Ledger,
    workers: Workers,
    paper: PaperServer,
    redis_url: str,
    prefix: str,
) -> None:
    # given: an entry for each way to spoil it, with a sound one behind it; and an account that is let alone
    spoilt = producer.send([{**ORDER, "connectorName": f"spoilt: {way[:100]}"} for way in SPOILT])
    behind = producer.send(
        [{**ORDER, "connectorName": one.connector, "clientOrderId": "behind"} for one in spoilt]
    )
    plain = producer.send([{**ORDER, "connectorName": "plain", "clientOrderId": f"n-{n}"} for n in range(5)])
    for one, way in zip(spoilt, SPOILT.values(), strict=True):
        way(ledger, one)
    # when
    worker = workers.start(paper.webhook_url, entry_expiry=600, patience=1)
    # then: everything sound is posted once, and nothing spoilt twice
    eventually(
        lambda: not [one for one in (*behind, *plain) if not ledger.record(one.id).get("outcome")],
        within=20,
        what="everything sound has ended",
    )
    assert {ledger.record(one.id)["outcome"] for one in (*behind, *plain)} == {"accepted"}
    eventually(lambda: not ledger.client.exists(f"{prefix}lanes"), within=10, what="nothing is left")
    times = Counter((one.connector, one.client_order_id) for one in paper.receipts)
    assert max(times.values()) == 1
    assert all(times[str(one.connector), "behind"] == 1 for one in behind)
    assert [one.client_order_id for one in paper.receipts if one.connector == "plain"] == [
        f"n-{n}" for n in range(5)
    ]
    assert worker.exit_code is None
    assert "Traceback" not in worker.output()
    letters = [one.id for one in spoilt if one.id and ledger.client.zscore(f"{prefix}dead", one.id)]
    assert_shown_safely(redis_url, prefix, *letters)


def assert_shown_safely(redis_url: str, prefix: str, *letters: str) -> None:
    """Every command that shows something does, without a character that a terminal obeys."""
    environment = {"SIGNALS_REDIS_URL": redis_url, "SIGNALS_PREFIX": prefix}
    for arguments in (
        ("status", "--lanes", "1000"),
        ("status", "--json", "--lanes", "1000"),
        ("tail", "--no-follow", "-n", "1000"),
        ("dead", "list", "--limit", "1000"),
        *(("dead", "show", *letters) for _ in letters[:1]),
    ):
        code, said, complained = run("worker", *arguments, **environment)
        assert (code, complained) == (0, ""), arguments
        assert all(char.isprintable() for char in said.replace("\n", "")), arguments
