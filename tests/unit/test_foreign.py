from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.lanes import foreign

TOKEN = "0b8a6d1e-7c2f-4c55-9a51-1f2e3d4c5b6a"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def shown(**fields: object) -> dict[str, object] | None:
    return foreign.body(json.dumps(fields).encode())


def test_the_token_is_masked_wherever_it_was_copied_to() -> None:
    found = shown(connectorToken=TOKEN, log=f"x{TOKEN}y", clientOrderId=TOKEN, connectorName=TOKEN)
    assert found == {"connectorToken": "***", "log": "x***y", "clientOrderId": "***", "connectorName": "***"}


@pytest.mark.parametrize("name", ["connectortoken", "token", "connector_token", "conectorToken", "secret"])
def test_a_token_under_a_misspelt_name_is_masked(name: str) -> None:
    assert shown(**{name: "hunter2!", "log": "it is hunter2!"}) == {name: "***", "log": "it is ***"}


@pytest.mark.parametrize("value", [{"x": TOKEN}, [TOKEN], 12345678, None, True])
def test_a_token_of_another_type_is_masked(value: object) -> None:
    found = shown(connectorToken=value, log="12345678")
    assert found is not None
    assert found["connectorToken"] == "***"
    assert TOKEN not in str(found)
    assert (found["log"] == "***") == (value == 12345678)


def test_known_fields_keep_their_values_and_an_order_id_may_be_a_uuid() -> None:
    found = shown(
        action="openLong", fixed="0.0010", percent=12.5, clientOrderId=TOKEN, connectorToken="other!"
    )
    assert found == {
        "action": "openLong",
        "fixed": "0.0010",
        "percent": 12.5,
        "clientOrderId": TOKEN,
        "connectorToken": "***",
    }


def test_known_fields_of_unknown_form_are_hidden() -> None:
    assert shown(log={"a": TOKEN}, action=[TOKEN], position={"side": "flat", "odd": TOKEN}) == {
        "log": "***",
        "action": "***",
        "position": {"side": "flat", "odd": "***"},
    }


def test_digits_are_never_rounded() -> None:
    body = b'{"percent": 0.1000, "fixed": 0.12345678901234567890, "delaySeconds": 1.5}'
    assert foreign.body(body) == {"percent": "0.1000", "fixed": "0.12345678901234567890", "delaySeconds": 1.5}


@pytest.mark.parametrize(
    "raw",
    [
        None,
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b"\xff{}",
        b"[" * 9999,
        b'{"a":1,"a":2}',
        b'{"a":' + b"9" * 9999 + b"}",
    ],
)
def test_what_is_no_plain_object_is_not_shown(raw: bytes | None) -> None:
    assert foreign.body(raw) is None


@given(st.dictionaries(st.text(), JSON, max_size=5), st.sampled_from(["connectorToken", "token", "log2"]))
def test_whatever_else_is_there_the_token_is_not_shown(fields: dict[str, object], name: str) -> None:
    found = foreign.body(json.dumps({**fields, name: TOKEN, "log": f"my {TOKEN}"}).encode())
    assert TOKEN not in json.dumps(found, allow_nan=False)


@given(st.binary())
def test_nothing_raises_whatever_the_bytes(raw: bytes) -> None:
    foreign.body(raw)
    foreign.number(raw)
    foreign.text(raw).encode()


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"12", 12),
        (b"-3", -3),
        (1.75e12, 1_750_000_000_000),
        (b"1.5", None),
        (b"", None),
        (None, None),
        ("nan", None),
        (float("inf"), None),
        (b"9" * 5000, None),
        (10**15 + 1, None),
        (True, None),
    ],
)
def test_numbers(raw: object, value: int | None) -> None:
    assert foreign.number(raw) == value
