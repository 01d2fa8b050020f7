"""Receipts and pages: nothing secret, nothing unescaped."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from worker.paper import views
from worker.paper.receipts import Receipt, ReceiptLog

TOKEN = "3f0c-secret"


def receipt(number: int = 1, raw: bytes = b"{}", connector: str = "a") -> Receipt:
    return Receipt(number, 1.0, 1.0, 1, raw, connector=connector)


def test_the_token_is_masked_wherever_it_stands() -> None:
    body = {
        "connectorToken": TOKEN,
        "log": f"my token is {TOKEN}!",
        "nested": [{"apiTOKEN": "other"}],
        TOKEN: 1,
    }
    shown = receipt(raw=json.dumps(body).encode())
    shown.notes = (f"unknown field {TOKEN!r}",)
    text = json.dumps(shown.view())
    assert TOKEN not in text
    assert "other" not in text
    assert shown.view()["body"]["log"] == "my token is ***!"


@pytest.mark.parametrize("raw", [b'{"connectorToken": "3f0c-secret"', b'["3f0c-secret"]'])
def test_an_unreadable_body_is_not_shown(raw: bytes) -> None:
    assert receipt(raw=raw).view()["body"] is None


def test_a_body_nested_too_deep_costs_only_itself() -> None:
    raw = b'{"a":' + b"[" * 900 + b"]" * 900 + b"}"
    assert receipt(raw=raw).view()["bytes"] == len(raw)


def test_the_representation_hides_the_body() -> None:
    assert TOKEN not in repr(receipt(raw=json.dumps({"connectorToken": TOKEN}).encode()))


def test_the_body_is_exact() -> None:
    assert receipt(raw=b'{"size": 0.10}').body == {"size": Decimal("0.10")}


def test_the_oldest_receipts_are_forgotten_but_numbers_go_on() -> None:
    log = ReceiptLog(10)
    for _ in range(500):
        log.add(receipt(log.next_number()))
    assert [r.number for r in log.all()] == list(range(491, 501))
    assert log.total == 500
    assert [r.number for r in log.last(2)] == [500, 499]
    assert [r.number for r in log.since(498, 100)] == [499, 500]
    assert len(log.since(0, 3)) == 3
    assert log.since(500, 100) == []


def test_receipts_of_one_connector() -> None:
    log = ReceiptLog(10)
    for connector in "abab":
        log.add(receipt(log.next_number(), connector=connector))
    assert [r.number for r in log.since(1, 10, "a")] == [3]


def test_decimals_are_json_numbers_with_their_digits() -> None:
    assert views.to_json({"a": [Decimal("0.10"), "x", None, 1]}) == '{"a": [0.10, "x", null, 1]}'


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("text/html, application/json", True),
        ("application/json, text/html;q=0.5", False),
        ("application/json;q=0.5, TEXT/HTML", True),
        ("text/html;q=0", False),
        ("text/html;q=x", True),
    ],
)
def test_html_only_for_those_who_prefer_it(accept: str, html: bool) -> None:
    assert views.prefers_html(accept) is html
