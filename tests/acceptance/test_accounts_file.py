"""The accounts file with everything real: groups, tokens that Redis never sees, changes without a restart."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import redis

from demo.stack import eventually, fetch
from producers import SignalProducer
from tests.acceptance.conftest import Ledger
from tests.conftest import Workers
from worker.paper import PaperServer
from worker.paper.receipts import Receipt
from worker.settings import Settings
from worker.vault import new_key

MEMBERS = 500


def write(file: Path, *accounts: dict[str, object]) -> Path:
    file.write_text(json.dumps({"accounts": accounts}))
    return file


def token_of(arrived: Receipt) -> object:
    return (arrived.body or {}).get("connectorToken")


def everything(client: redis.Redis, prefix: str) -> str:
    """All that Redis holds of ours, in whatever type, and Celery's queues."""
    readers = {
        b"string": client.get, b"hash": client.hgetall, b"list": lambda key: client.lrange(key, 0, -1),
        b"zset": lambda key: client.zrange(key, 0, -1), b"set": client.smembers, b"stream": client.xrange,
    }  # fmt: skip
    return "\n".join(f"{key}: {readers[client.type(key)](key)}" for key in client.scan_iter(f"{prefix}*"))


def test_a_group_of_500_gets_one_signal(
    workers: Workers,
    paper: PaperServer,
    settings: Settings,
    client: redis.Redis,
    prefix: str,
    ledger: Ledger,
    tmp_path: Path,
) -> None:
    # given
    accounts = [{"name": f"m-{n}", "token": f"secret-{n}", "groups": ["desk"]} for n in range(MEMBERS)]
    file = write(tmp_path / "accounts.json", *accounts)
    own = settings.model_copy(update={"accounts_file": str(file)})
    signal = {"group": "desk", "action": "openLong", "fixed": "1", "clientOrderId": "copy-1"}
    # when: nobody works yet
    with SignalProducer(settings=own) as producer:
        receipts = producer.send([signal])
        # then
        assert Counter(receipt.status.value for receipt in receipts) == {"accepted": MEMBERS}
        assert [receipt.connector for receipt in receipts] == [f"m-{n}" for n in range(MEMBERS)]
        waiting = everything(client, prefix)
        assert waiting.count("copy-1") >= MEMBERS, "all of it is there"
        assert "secret" not in waiting
        assert {one.status for one in producer.send([signal])} == {"duplicate"}
    # when
    workers.start(paper.webhook_url, accounts_file=str(file))
    ledger.idle()
    # then
    assert {(one.connector, token_of(one)) for one in paper.receipts} == {
        (f"m-{n}", f"secret-{n}") for n in range(MEMBERS)
    }
    assert len(paper.receipts) == MEMBERS
    assert "secret" not in everything(client, prefix)
    assert "secret" not in workers.logs()


def test_changes_of_the_file_are_followed_and_broken_ones_are_not(
    workers: Workers, paper: PaperServer, settings: Settings, ledger: Ledger, tmp_path: Path
) -> None:
    # given
    file = write(tmp_path / "accounts.json", {"name": "acct", "token": "first"})
    workers.start(paper.webhook_url, accounts_file=str(file), backoff_base=0.1, backoff_cap=0.1)
    own = settings.model_copy(update={"accounts_file": str(file)})

    def failing() -> bool:
        _, text = fetch(f"{workers.addresses[0]}/metrics")
        return 'signals_config_failing{file="accounts_file"} 1.0' in text

    with SignalProducer(settings=own) as producer:
        signal = {"connectorName": "acct", "action": "openLong", "fixed": "1"}
        assert ledger.outcome(producer.send(signal).id) == "accepted"
        # when: half a file
        file.write_text('{"accounts": [')
        # then: it is told of, and work goes on
        eventually(failing, within=10, what="the broken file is told of")
        assert "no JSON" in workers.logs()
        assert ledger.outcome(producer.send(signal).id) == "accepted"
        # when: a token is changed
        write(file, {"name": "acct", "token": "second"})
        eventually(lambda: not failing(), within=10, what="the mended file is taken over")
        assert ledger.outcome(producer.send(signal).id) == "accepted"
    # then
    assert [token_of(one) for one in paper.receipts] == ["first", "first", "second"]
    # when: a worker does not know an account yet that its producer knows
    write(file, {"name": "acct", "token": "second"}, {"name": "late", "enabled": True})
    other = write(tmp_path / "ahead.json", {"name": "late", "token": "third"})
    ahead = settings.model_copy(update={"accounts_file": str(other)})
    with SignalProducer(settings=ahead) as producer:
        receipt = producer.send({**signal, "connectorName": "late"})
    eventually(
        lambda: ledger.record(receipt.id).get("attempts", "0") > "1", within=10, what="it is tried again"
    )
    # then: it waits for it
    write(file, {"name": "late", "token": "third"})
    assert ledger.outcome(receipt.id) == "accepted"
    assert token_of(paper.receipts[-1]) == "third"
    # when: it waits, and is not enabled any more
    with SignalProducer(settings=ahead) as producer:
        delayed = producer.send({**signal, "connectorName": "late", "delaySeconds": 3})
    write(file, {"name": "late", "token": "third", "enabled": False})
    # then
    assert ledger.outcome(delayed.id) == "invalid"
    assert "not enabled" in ledger.record(delayed.id)["why"]


def test_tokens_of_signals_can_lie_sealed_in_redis(
    workers: Workers,
    paper: PaperServer,
    settings: Settings,
    client: redis.Redis,
    prefix: str,
    ledger: Ledger,
    tmp_path: Path,
) -> None:
    # given: a key
    keys = tmp_path / "keys"
    keys.write_text(new_key())
    own = settings.model_copy(update={"token_keys_file": str(keys)})
    signal = {"connectorName": "acct", "connectorToken": "sesame-1", "action": "openLong", "fixed": "1"}
    with SignalProducer(settings=own) as producer:
        first = producer.send(signal)
        assert "sesame" not in everything(client, prefix)
    # when: another goes on top of it, as in a rotation
    keys.write_text(f"{new_key()}\n{keys.read_text()}")
    with SignalProducer(settings=own) as producer:
        second = producer.send(signal)
    workers.start(paper.webhook_url, token_keys_file=str(keys))
    # then
    assert [ledger.outcome(receipt.id) for receipt in (first, second)] == ["accepted", "accepted"]
    assert [token_of(one) for one in paper.receipts] == ["sesame-1", "sesame-1"]
    assert "sesame" not in everything(client, prefix)
