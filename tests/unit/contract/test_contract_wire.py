"""What is posted and what is stored."""

from __future__ import annotations

import json

import pytest

from tests.unit.contract.contract_samples import ORDER, SYNC, TOKEN, order, refusal, sync
from worker.contract import parse, stored, wire


def test_an_order_on_the_wire() -> None:
    assert wire(parse(ORDER)) == (
        b'{"connectorName":"main account","connectorToken":"' + TOKEN.encode() + b'","log":"open long",'
        b'"action":"openLong","fixed":"1.50","percent":"90","notional":"1000","limit":"27000.50",'
        b'"profit":"28000","loss":"26000","clientOrderId":"entry-17"}'
    )


def test_a_position_sync_on_the_wire() -> None:
    assert wire(parse(SYNC)) == (
        b'{"connectorName":"main account","connectorToken":"' + TOKEN.encode() + b'","log":"open long",'
        b'"entryOrder":{"value":100,"mode":"compoundAvailableBalancePercent","size":1.5,"price":27000.5},'
        b'"position":{"side":"long","size":1.5,"prev_side":"flat","prev_size":0},'
        b'"maxWaitPositionReversalSeconds":20}'
    )


@pytest.mark.parametrize("sample", [ORDER, SYNC])
def test_delay_fields_leave_only_when_the_platform_delays(sample: dict[str, object]) -> None:
    posted, kept = json.loads(wire(parse(sample))), json.loads(wire(parse(sample), keep_delay=True))

    assert not posted.keys() & {"delaySeconds", "delaySecondsFilter"}
    assert kept == {**posted, "delaySeconds": 10, "delaySecondsFilter": "open"}


def test_a_delay_given_as_text_leaves_as_a_number() -> None:
    assert b'"delaySeconds":1.50' in wire(parse(order(delaySeconds="1.50")), keep_delay=True)


@pytest.mark.parametrize("alias", ["cancelAll", "cancellAll", "cancel_all"])
def test_cancel_all_has_one_spelling(alias: str) -> None:
    assert b'"action":"cancelAll"' in wire(parse(order(action=alias)))


def test_the_token_joins_or_overrides() -> None:
    bare, own = parse(order(connectorToken=...)), parse(order())

    assert json.loads(wire(bare, token="other"))["connectorToken"] == "other"
    assert json.loads(wire(own, token="other"))["connectorToken"] == "other"
    assert json.loads(wire(own))["connectorToken"] == TOKEN
    assert refusal(bare, wire).startswith("`connectorToken` is required")
    assert refusal(bare, wire, token="").startswith("`connectorToken` is required")


def test_the_wire_is_ascii_and_loses_no_character() -> None:
    signal = parse(order(log='日本 "quoted" \\ \n 🚀', connectorName="ä"))

    assert wire(signal).isascii()
    assert json.loads(wire(signal))["log"] == signal.log
    assert parse(wire(signal)) == signal


@pytest.mark.parametrize("data", [ORDER, SYNC, order(connectorToken=...), order(log="日本"), sync(log=None)])
def test_what_is_stored_comes_back(data: dict[str, object]) -> None:
    signal = parse(data)

    assert parse(stored(signal)) == signal
    assert stored(parse(stored(signal))) == stored(signal)
    assert json.loads(stored(signal)).keys() == {name for name, value in data.items() if value is not None}


def test_signals_are_frozen_and_hashable() -> None:
    signal = parse(ORDER)

    with pytest.raises(ValueError, match="frozen"):
        signal.connector_name = "other"
    assert len({signal, parse(ORDER), parse(SYNC), parse(SYNC)}) == 2
