"""The token is in no error, no warning and no repr, wherever the sender put it."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.unit.contract.contract_samples import ORDER, SYNC, TOKEN, as_json, order, refusal, sync
from worker.contract import OrderSignal, Rules, parse, parse_many, warnings
from worker.errors import InvalidSignal

_ODD = "s3cret-but-no-uuid"


@pytest.mark.parametrize("token", [TOKEN, _ODD, "quote'and\\slash\"x"])
@pytest.mark.parametrize("field", [*ORDER, "foo"])
@pytest.mark.parametrize("around", ["@", "-@-", "@" * 30, "{{@", "x" * 30 + "@", "\n@"])
def test_a_token_copied_into_another_field_is_masked(token: str, field: str, around: str) -> None:
    data = {**ORDER, "connectorToken": token, field: around.replace("@", token), "typo": 1}
    for broken in (data, as_json(data), {**data, "typo": None}):
        with pytest.raises(InvalidSignal) as caught:
            parse(broken)
        assert token[:8] not in str(caught.value)


@pytest.mark.parametrize("field", [*ORDER, "foo"])
def test_a_token_under_a_misspelt_name_is_masked(field: str) -> None:
    data = order(connectorToken=..., connectorTokn=_ODD)

    assert _ODD not in refusal({**data, field: _ODD})
    assert refusal(data) == "unknown field `connectorTokn`: did you mean `connectorToken`?"


@pytest.mark.parametrize("wrong", [[_ODD], {"x": _ODD}, {"x": [{"y": _ODD}]}])
def test_a_token_inside_a_container_is_masked(wrong: object) -> None:
    assert _ODD not in refusal(order(connectorToken=wrong, percent=_ODD))
    assert _ODD not in refusal(order(connectorToken=wrong, **{_ODD: _ODD}))


def test_a_token_as_a_field_name_is_masked() -> None:
    assert refusal(order(**{TOKEN: 1})) == "unknown field `***`"
    assert refusal(order(connectorToken=_ODD, **{_ODD: 1})) == "unknown field `***`"
    assert _ODD not in refusal(f'{{"connectorToken":"{_ODD}","{_ODD}":1,"{_ODD}":2}}')


def test_a_token_in_nested_fields_is_masked() -> None:
    assert _ODD not in refusal(sync(connectorToken=_ODD, position={"side": _ODD}))
    assert _ODD not in refusal(sync(connectorToken=_ODD, entryOrder={"mode": "m", "value": _ODD}))
    assert _ODD not in refusal(sync(entryOrder={"mode": "m", "valeu": _ODD, "value": f"x{_ODD}"}))


def test_a_token_made_of_digits_is_masked() -> None:
    assert "98765432" not in refusal(order(connectorToken="98765432", percent="198765432"))
    assert "98765432" not in refusal(order(connectorToken="98765432", percent=198765432))
    assert "98765432" not in refusal(
        '{"connectorName":"a","action":"buy","connectorToken":98765432,"limit":-98765432}'
    )


def test_no_exception_that_holds_the_token_is_chained() -> None:
    for body in (as_json(order(percent="x")), as_json(order()) + b"}", as_json(order()) + b"\xff"):
        with pytest.raises(InvalidSignal) as caught:
            parse(body)
        assert TOKEN not in "".join(traceback.format_exception(caught.value))
        assert caught.value.__context__ is None


def test_a_model_that_is_built_by_hand_shows_no_token_either() -> None:
    with pytest.raises(ValidationError) as caught:
        OrderSignal(connectorName="a", connectorToken=TOKEN, action="buy", percent=TOKEN)

    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("token", [TOKEN, _ODD, "quote'and\\slash"])
def test_repr_and_str_show_no_token(token: str) -> None:
    signals = [
        parse(order(connectorToken=token, log=f"<{token}>", clientOrderId=token[:64])),
        parse(sync(connectorToken=token, entryOrder={"mode": token, "value": 1})),
    ]
    for signal in signals:
        for text in (repr(signal), str(signal), f"{signal}", repr([signal]), str(warnings(signal))):
            assert token not in text
            assert repr(token)[1:-1] not in text
        assert "connector_token" not in repr(signal)


def test_a_tiny_token_does_not_garble_repr() -> None:
    assert "connector_name='main'" in repr(parse(order(connectorToken="a", connectorName="main")))


def test_other_fields_stay_readable_in_repr() -> None:
    text = repr(parse(order(connectorToken="YOUR_TOKEN")))

    assert "connector_name='a'" in text
    assert "<Action.OPEN_LONG: 'openLong'>" in text


def test_the_operators_rules_show_no_token() -> None:
    text = refusal(order(percent="98.7654", connectorToken="98.7654"), rules=Rules(max_percent=50))

    assert text == "`percent` must be greater than 0 and at most 50, got '***'"


_secrets = st.uuids().map(str) | st.from_regex(r"[A-Z0-9!$%&'\"\\]{12,40}", fullmatch=True)


@given(
    token=_secrets, field=st.sampled_from([*ORDER, *SYNC, "foo"]), before=st.text(max_size=45), data=st.data()
)
def test_no_error_contains_the_token(token: str, field: str, before: str, data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from([ORDER, SYNC]))
    broken = {**sample, "connectorToken": token, field: before + token}
    if data.draw(st.booleans()):
        broken["extra" + token] = token
    (result,) = parse_many([broken])

    assert token not in str(result)
    assert "\n" not in str(result)
    if not isinstance(result, InvalidSignal):
        assert token not in repr(result)
        assert token not in str(warnings(result))


def test_a_token_pasted_into_the_name_is_refused_without_repeating_it() -> None:
    token = "3f0c1a52-7e0b-4f1e-9d0e-3f1f7a2b9c11"
    with pytest.raises(InvalidSignal, match="looks like a token") as caught:
        parse({"connectorName": token, "connectorToken": token, "action": "sell"})
    assert token not in str(caught.value)
