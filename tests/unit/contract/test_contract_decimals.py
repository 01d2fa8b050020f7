"""Numbers keep their digits, and nothing but plain numbers passes."""

from __future__ import annotations

import copy
import json
import pickle
import time
from decimal import Decimal

import pytest

from tests.unit.contract.contract_samples import order, refusal, sync
from worker.contract import parse, wire
from worker.contract.decimals import Number, by_value, wire_text

_ORDER_NUMBERS = ["fixed", "percent", "notional", "limit", "profit", "loss"]

_BAD = [
    *(
        "",
        " ",
        "1 ",
        " 1",
        "+1",
        "-1",
        "-0",
        "1_000",
        "1,5",
        ".5",
        "5.",
        "0x10",
        "1e",
        "e5",
        "1.5.2",
        "\u0661",
        "\u00bd",
    ),
    *(
        "nan",
        "NaN",
        "inf",
        "Infinity",
        "-Infinity",
        "1e31",
        "1e-31",
        "1e0001",
        "9" * 61,
        "0." + "0" * 61 + "1",
    ),
    *("ten", "100%", "$5", "1\n", "1\0", "\ud800", "1e999999999", "1e-999999999", "1" * 100_000),
    *(True, False, [], ["1"], {}, b"1", -1, -0.5, float("nan"), float("inf"), 1j, object()),
    *(Decimal("NaN"), Decimal("sNaN"), Decimal("-1"), Decimal("Infinity"), Decimal("1e400000")),
]


@pytest.mark.parametrize("field", _ORDER_NUMBERS)
@pytest.mark.parametrize(
    "value", [*_BAD, "0", "0.00", 0, 0.0, "0e5", Decimal(0)], ids=lambda value: repr(value)[:20]
)
def test_bad_amounts(field: str, value: object) -> None:
    text = refusal(order(**{field: value}))

    assert text.startswith(f"`{field}` must be a plain decimal greater than 0, such as 0.5")
    assert len(text) < 200


@pytest.mark.parametrize("value", _BAD, ids=lambda value: repr(value)[:20])
def test_bad_sizes(value: object) -> None:
    text = refusal(sync(position={"side": "long", "size": value}))

    assert text.startswith("`position.size` must be a plain number of at least 0")
    assert len(text) < 200


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ('"1.50"', "1.50"),
        ("1.50", "1.50"),
        ("0.1", "0.1"),
        ("1e-7", "0.0000001"),
        ('"1e-7"', "0.0000001"),
        ("1E2", "100"),
        ("1.5e1", "15"),
        ("100", "100"),
        ('"007.50"', "007.50"),
        ("0.30000000000000004", "0.30000000000000004"),
        (
            "12345678901234567890.123456789012345678901234567890",
            "12345678901234567890.123456789012345678901234567890",
        ),
        ("1e30", "1" + "0" * 30),
        ("1e-30", "0." + "0" * 29 + "1"),
    ],
)
def test_an_orders_decimals_leave_as_texts_with_their_digits(given: str, sent: str) -> None:
    body = f'{{"connectorName":"a","connectorToken":"t","action":"openLong","fixed":{given}}}'

    assert json.loads(wire(parse(body)))["fixed"] == sent


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (1e22, "1" + "0" * 22),
        (5, "5"),
        (Decimal("1.50"), "1.50"),
        (Decimal("1E+2"), "100"),
        (0.1 + 0.2, "0.30000000000000004"),
        (Number("2.0"), "2.0"),
    ],
)
def test_python_numbers_leave_as_their_shortest_exact_text(value: object, sent: str) -> None:
    assert json.loads(wire(parse(order(fixed=value))))["fixed"] == sent


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("27000.50", "27000.50"),
        ("0", "0"),
        ("0.0", "0.0"),
        ("1e5", "1e5"),
        ("1.5E-07", "1.5E-07"),
        ('"1.50"', "1.50"),
        ('"001.50"', "1.50"),
        ('"00"', "0"),
        ('"00.5"', "0.5"),
        ('"00e1"', "0e1"),
    ],
)
def test_a_syncs_numbers_stay_numbers_with_their_literal_text(given: str, sent: str) -> None:
    body = (
        '{"connectorName":"a","connectorToken":"t","entryOrder":{"value":1,"mode":"FixedAssetTrade"},'
        f'"position":{{"side":"long","size":{given}}}}}'
    )

    posted = wire(parse(body))

    assert f'"size":{sent}}}'.encode() in posted
    json.loads(posted)


def test_a_huge_int_is_not_printed() -> None:
    assert refusal(order(fixed=10**5000)).endswith("such as 0.5, got a huge number")


def test_json_constants_are_no_numbers() -> None:
    for constant in ("NaN", "Infinity", "-Infinity"):
        body = f'{{"connectorName":"a","action":"buy","percent":{constant}}}'
        assert refusal(body).endswith(f"such as 0.5, got {constant}")


def test_absurd_numbers_cost_no_time() -> None:
    bodies = [
        "9" * 1_000_000,
        "1e999999999",
        "1e-999999999",
        "0." + "0" * 1_000_000 + "1",
        "1" + "0" * 100_000,
    ]
    values = [*bodies, 10**100_000, Decimal("1e999999"), Decimal("9" * 100_000)]
    start = time.perf_counter()

    for value in values:
        refusal(order(fixed=value))

    assert time.perf_counter() - start < 10


def test_a_number_survives_copies_with_its_text() -> None:
    number = Number("1.50")

    for twin in (copy.copy(number), copy.deepcopy(number), pickle.loads(pickle.dumps(number))):
        assert (twin, twin.text) == (Decimal("1.5"), "1.50")


def test_texts_of_bare_decimals() -> None:
    assert wire_text(Decimal("1E+2")) == "100"
    assert by_value(Decimal("1.500")) == by_value(Number("15e-1")) == "1.5"
    assert by_value(Decimal("100")) == "100"
