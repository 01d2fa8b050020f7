"""What the paper endpoint accepts, refuses and remarks on."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.paper.exact import parse_body
from worker.paper.reading import UNKNOWN_ACTION, Reading, read

ORDER = {"connectorName": "my acct", "connectorToken": "t-1", "action": "buy", "percent": "100"}
SYNC = {
    "connectorName": "my acct",
    "connectorToken": "t-1",
    "entryOrder": {"value": 100, "mode": "totalBalancePercent", "size": 1.5},
    "position": {"side": "long", "size": 1.5, "prev_side": "flat", "prev_size": 0},
}


def reading(base: dict[str, Any] = ORDER, **changes: Any) -> Reading:
    """``base`` with changes; ... removes a field."""
    body = {name: value for name, value in (base | changes).items() if value is not ...}
    return read(json.dumps(body).encode())


def test_the_pages_own_example_is_fine() -> None:
    seen = reading(log="Buy")
    assert seen.problem is None
    assert seen.notes == ()
    assert seen.instruction is not None
    assert (seen.connector, seen.action, seen.instruction.percent) == ("my acct", "buy", Decimal(100))


def test_a_position_sync_is_fine() -> None:
    seen = reading(SYNC)
    assert (seen.problem, seen.notes, seen.action) == (None, (), "sync")
    assert seen.instruction is not None
    assert (seen.instruction.side, seen.instruction.size) == ("long", Decimal("1.5"))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"connectorName": ...}, "connectorName is mandatory"),
        ({"connectorName": " "}, "connectorName is mandatory"),
        ({"connectorToken": ...}, "connectorToken is mandatory"),
        ({"connectorToken": 7}, "connectorToken is mandatory"),
        ({"action": ...}, "either action or"),
        ({"position": {}}, "either action or"),
        ({"percent": "-1"}, "percent must be"),
        ({"percent": "1e3"}, "percent must be"),
        ({"percent": "0"}, "percent must be"),
        ({"fixed": True}, "fixed must be"),
        ({"limit": " 1"}, "limit must be"),
        ({"profit": "１"}, "profit must be"),  # noqa: RUF001 - a digit, but not an ASCII one
        ({"clientOrderId": 5}, "clientOrderId must be"),
        ({"clientOrderId": ""}, "clientOrderId must be"),
        ({"action": "cancel"}, "clientOrderId is mandatory"),
        ({"delaySeconds": -1}, "delaySeconds must be"),
    ],
)
def test_a_broken_order_is_refused(changes: dict[str, Any], problem: str) -> None:
    seen = reading(**changes)
    assert seen.instruction is None
    assert seen.problem is not None
    assert seen.problem.startswith(problem)


@pytest.mark.parametrize(
    "changes",
    [
        {"entryOrder": ...},
        {"entryOrder": {"mode": "x"}},
        {"entryOrder": {"mode": "x", "value": "100"}},
        {"position": 1},
        {"position": {"side": "up", "size": 1}},
        {"position": {"side": "long", "size": "1"}},
        {"position": {"side": "long"}},
    ],
)
def test_a_broken_sync_is_refused(changes: dict[str, Any]) -> None:
    assert reading(SYNC, **changes).problem is not None


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"action": "cancellAll"}, UNKNOWN_ACTION),
        ({"action": "sync"}, UNKNOWN_ACTION),
        ({"perecnt": "1"}, "unknown field 'perecnt'"),
        ({"percent": 50}, "percent is not a string"),
        ({"loss": "5"}, "profit and loss are for futures only"),
    ],
)
def test_a_dubious_order_is_taken_with_a_note(changes: dict[str, Any], note: str) -> None:
    seen = reading(**changes)
    assert seen.problem is None
    assert note in seen.notes


@pytest.mark.parametrize(
    ("changes", "delay"),
    [
        ({"delaySeconds": 2.5}, 2.5),
        ({"delaySeconds": "3"}, 3.0),
        ({"delaySeconds": 3, "delaySecondsFilter": "open", "log": "open it"}, 3.0),
        ({"delaySeconds": 3, "delaySecondsFilter": "open", "log": "Open it"}, 0.0),
        ({"delaySeconds": 3, "delaySecondsFilter": "open"}, 0.0),
        ({"delaySecondsFilter": "open", "log": "open"}, 0.0),
    ],
)
def test_the_delay_depends_on_the_filter(changes: dict[str, Any], delay: float) -> None:
    seen = reading(**changes)
    assert seen.instruction is not None
    assert seen.instruction.delay == delay


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e99999999999999999999}',
        b"[" * 100_000,
        b'{"a": ' + b"9" * 5_000 + b"}",
    ],
)
def test_what_is_no_json_object_is_refused(raw: bytes) -> None:
    assert read(raw).problem in {"the body is not valid JSON", "the body is not a JSON object"}


def test_a_token_that_strayed_into_other_fields_is_hidden() -> None:
    token = "12345678-token"
    seen = reading(ORDER | {token: "x"}, connectorToken=token, clientOrderId=f"id-{token}")
    assert seen.token == token
    assert seen.client_order_id == "id-***"
    assert seen.notes == ("unknown field '***'",)


def test_a_toy_token_hides_nothing() -> None:
    assert reading(connectorToken="m").connector == "my acct"
    assert reading(connectorName="acct-0001", connectorToken="acct-0001").connector == "acct-0001"


def test_fractions_keep_their_digits() -> None:
    body = parse_body(b'{"size": 0.1000, "big": 12345678901234567890.123456789}')
    assert [str(value) for value in body.values()] == ["0.1000", "12345678901234567890.123456789"]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_exception(raw: bytes) -> None:
    seen = read(raw)
    assert (seen.instruction is None) != (seen.problem is None)


@given(
    st.dictionaries(
        st.sampled_from([*ORDER, *SYNC, "fixed", "limit", "clientOrderId", "delaySeconds", "log"]),
        st.sampled_from([None, True, -1, 10**40, 0.5, 1e300, "", " ", "1", "x\ny", "\ud800", [], {}]),
    )
)
def test_any_object_is_read_without_an_exception(changes: dict[str, Any]) -> None:
    seen = reading(**changes)
    assert (seen.instruction is None) != (seen.problem is None)
    assert "\n" not in (seen.problem or "")
