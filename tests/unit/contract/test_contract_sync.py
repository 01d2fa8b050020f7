"""The rules of a position sync."""

from __future__ import annotations

import json

import pytest

from tests.unit.contract.contract_samples import SYNC, refusal, sync
from worker.contract import Side, parse, warnings, wire
from worker.contract.position import KNOWN_MODES


@pytest.mark.parametrize("mode", [*KNOWN_MODES, "somethingNew", "x" * 64])
def test_modes(mode: str) -> None:
    assert parse(sync(entryOrder={"mode": mode, "value": 1})).entry_order.mode == mode


@pytest.mark.parametrize("mode", ["", "  ", "x" * 65, "a\nb", 5, True, "{{mode}}"])
def test_bad_modes(mode: object) -> None:
    assert refusal(sync(entryOrder={"mode": mode, "value": 1})).startswith("`entryOrder.mode` ")


def test_an_unknown_mode_is_a_warning_with_the_nearest_known() -> None:
    (text,) = warnings(parse(sync(entryOrder={"mode": "totalBalancePercnt", "value": 1})))

    assert text == (
        "`entryOrder.mode` 'totalBalancePercnt' is not a known mode: did you mean `totalBalancePercent`?"
    )


@pytest.mark.parametrize("field", ["side", "prev_side"])
def test_sides(field: str) -> None:
    for side in Side:
        position = {**SYNC["position"], field: side.value}
        assert getattr(parse(sync(position=position)).position, field) is side
    text = refusal(sync(position={**SYNC["position"], field: "Long"}))
    assert text == f"`position.{field}` must be one of long, short, flat, got 'Long': did you mean `long`?"


@pytest.mark.parametrize("wrong", ["long", 5, [], True])
def test_nested_parts_are_objects(wrong: object) -> None:
    assert refusal(sync(position=wrong)).startswith("`position` must be an object, got ")
    assert refusal(sync(entryOrder=wrong)).startswith("`entryOrder` must be an object, got ")


def test_the_wait_for_a_reversal_is_a_number_of_seconds() -> None:
    assert parse(sync(maxWaitPositionReversalSeconds="20")).max_wait_position_reversal_seconds == 20
    assert "604800" in refusal(sync(maxWaitPositionReversalSeconds=-1))
    assert b'"maxWaitPositionReversalSeconds":20' in wire(parse(SYNC))


def test_a_short_position_needs_only_its_side() -> None:
    signal = parse(sync(position={"side": "flat"}))

    assert signal.position.size is None
    assert json.loads(wire(signal))["position"] == {"side": "flat"}
    assert warnings(signal) == (
        "`position` lacks `size`, `prev_side` or `prev_size`: the platform may not know what to trade",
    )


def test_more_than_the_whole_balance_is_a_warning() -> None:
    entry = {"mode": "totalBalancePercent", "value": 150}

    assert warnings(parse(sync(entryOrder=entry))) == ("`entryOrder.value` is more than 100 %",)
    assert warnings(parse(SYNC)) == ()
