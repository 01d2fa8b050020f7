"""Every example of the endpoint's page and of the contract, and its broken twins."""

from __future__ import annotations

import json

import pytest

from tests.unit.contract.contract_samples import ORDER, PAGE_SAMPLE, SYNC, as_json, refusal
from worker.contract import Action, OrderSignal, PositionSyncSignal, parse, wire

_EXAMPLES = {"page": PAGE_SAMPLE, "order": ORDER, "sync": SYNC}
_PLACES = [(name, field) for name, sample in _EXAMPLES.items() for field in sample]
_NESTED = [(part, field) for part in ("entryOrder", "position") for field in SYNC[part]]


@pytest.mark.parametrize("sample", _EXAMPLES.values(), ids=_EXAMPLES)
def test_example_is_accepted_as_json_and_as_dict(sample: dict[str, object]) -> None:
    assert parse(as_json(sample)) == parse(json.dumps(sample)) == parse(sample)


def test_the_pages_sample_goes_out_as_it_came_in() -> None:
    assert json.loads(wire(parse(PAGE_SAMPLE))) == PAGE_SAMPLE


def test_attributes_of_an_order() -> None:
    signal = parse(ORDER)

    assert isinstance(signal, OrderSignal)
    assert signal.connector_name == "main account"
    assert signal.action is Action.OPEN_LONG
    assert signal.client_order_id == "entry-17"
    assert (signal.fixed, signal.percent, signal.delay_seconds) == (1.5, 90, 10)


def test_attributes_of_a_position_sync() -> None:
    signal = parse(SYNC)

    assert isinstance(signal, PositionSyncSignal)
    assert signal.entry_order.mode == "compoundAvailableBalancePercent"
    assert (signal.position.side, signal.position.prev_side) == ("long", "flat")
    assert signal.max_wait_position_reversal_seconds == 20


@pytest.mark.parametrize(("name", "field"), _PLACES)
def test_every_misspelt_field_is_named_with_the_right_spelling(name: str, field: str) -> None:
    sample = dict(_EXAMPLES[name])
    sample[field + "x"] = sample.pop(field)

    assert refusal(sample).startswith(f"unknown field `{field}x`: did you mean `{field}`?")


@pytest.mark.parametrize(("name", "field"), _PLACES)
def test_every_wrong_letter_case_is_named_with_the_right_one(name: str, field: str) -> None:
    sample = dict(_EXAMPLES[name])
    sample[field.capitalize()] = sample.pop(field)

    text = refusal(sample)

    assert text.startswith(f"unknown field `{field.capitalize()}`: did you mean `{field}`?")


@pytest.mark.parametrize(("part", "field"), _NESTED)
def test_every_misspelt_nested_field_is_named_with_the_right_spelling(part: str, field: str) -> None:
    broken = {name + "x" if name == field else name: value for name, value in SYNC[part].items()}

    text = refusal({**SYNC, part: broken})

    assert text.startswith(f"unknown field `{field}x` in `{part}`: did you mean `{field}`?")


@pytest.mark.parametrize("wrong", [True, [], {}, ["1"], {"a": "b"}, b"1", object(), float("nan")])
@pytest.mark.parametrize(("name", "field"), _PLACES)
def test_a_wrong_type_names_the_field(name: str, field: str, wrong: object) -> None:
    assert f"`{field}" in refusal({**_EXAMPLES[name], field: wrong})


@pytest.mark.parametrize(("name", "field"), _PLACES)
def test_a_left_over_placeholder_names_the_field(name: str, field: str) -> None:
    text = refusal({**_EXAMPLES[name], field: "{{strategy.order.action}}"})

    assert f"`{field}`" in text
    assert "did you mean" not in text
    if field not in {"entryOrder", "position"}:
        assert "placeholder {{" in text


@pytest.mark.parametrize(("part", "field"), _NESTED)
def test_a_left_over_placeholder_in_a_nested_field_names_it(part: str, field: str) -> None:
    text = refusal({**SYNC, part: {**SYNC[part], field: "x {{strategy.position_size}}"}})

    assert text.startswith(f"`{part}.{field}` still contains a template placeholder {{{{")


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("order", "connectorName"),
        ("order", "action"),
        ("sync", "connectorName"),
        ("sync", "entryOrder"),
        ("sync", "position"),
    ],
)
@pytest.mark.parametrize("absent", [None, ...])
def test_a_required_field_is_missed_when_absent_or_null(name: str, field: str, absent: object) -> None:
    sample = {**_EXAMPLES[name], field: None}
    if absent is ...:
        del sample[field]

    text = refusal(sample)

    if name == "sync" and field == "position":
        assert text == "`action` is required (or `position`, for a position sync)"
    else:
        assert text.startswith(f"`{field}` is required")


@pytest.mark.parametrize(
    ("part", "field"), [("entryOrder", "value"), ("entryOrder", "mode"), ("position", "side")]
)
def test_a_required_nested_field_is_missed(part: str, field: str) -> None:
    without = {name: value for name, value in SYNC[part].items() if name != field}

    assert refusal({**SYNC, part: without}) == f"`{part}.{field}` is required"
    assert refusal({**SYNC, part: {**without, field: None}}) == f"`{part}.{field}` is required"
