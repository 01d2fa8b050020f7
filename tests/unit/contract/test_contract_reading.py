"""Bodies: encodings, JSON that is none, sizes, and many signals at once."""

from __future__ import annotations

import difflib
import json
from types import MappingProxyType
from typing import Any

import pytest

from tests.unit.contract.contract_samples import ORDER, PAGE_SAMPLE, SYNC, as_json, order, refusal
from worker.contract import OrderSignal, PositionSyncSignal, Rules, Signal, parse, parse_many, stored
from worker.errors import InvalidSignal

_BODY = as_json(PAGE_SAMPLE)


@pytest.mark.parametrize(
    "body",
    [
        _BODY,
        _BODY.decode(),
        bytearray(_BODY),
        memoryview(_BODY),
        b"\xef\xbb\xbf" + _BODY,
        "\ufeff" + _BODY.decode(),
        b" \r\n\t" + _BODY + b"\n",
        json.dumps(PAGE_SAMPLE, indent=4),
        MappingProxyType(PAGE_SAMPLE),
    ],
)
def test_ways_to_hand_over_a_signal(body: bytes) -> None:
    assert parse(body) == parse(PAGE_SAMPLE)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "the body is not valid JSON: Expecting value (line 1, column 1)"),
        (b"hello", "the body is not valid JSON"),
        (b"{", "the body is not valid JSON"),
        (b"{'a': 1}", "the body is not valid JSON"),
        (b'{"a": "x\ny"}', "the body is not valid JSON: Invalid control character"),
        (_BODY + b"x", "the body is not valid JSON: Extra data"),
        (b'{"a": +1}', "the body is not valid JSON"),
        (b'{"a": 01}', "the body is not valid JSON"),
        (b"\xff\xfe{\x00}\x00", "the body is not UTF-8 (byte 1)"),
        (b'{"a": "\xc3"}', "the body is not UTF-8 (byte 8)"),
        ('{"a": "\ud800"}', "the body is not UTF-8"),
        (b"[" * 16_000, "the body is nested too deeply"),
        (b'{"a":' * 3_000, "the body is nested too deeply"),
        (b"null", "a signal must be a JSON object, not null"),
        (b'"secret"', "a signal must be a JSON object, not a text"),
        (b"5", "a signal must be a JSON object, not a number"),
        (b"true", "a signal must be a JSON object, not a boolean"),
        (b"[]", "a signal must be a JSON object, not a list"),
        (None, "a signal must be a JSON object, not null"),
        (5, "a signal must be a JSON object, not a number"),
        ([PAGE_SAMPLE], "a signal must be a JSON object, not a list"),
        ({1, 2}, "a signal must be a JSON object, not a set"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_no_signal_at_all(body: object, text: str) -> None:
    assert refusal(body).startswith(text)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"action":"buy","action":"sell","connectorName":"a"}', "action"),
        ('{"action":"buy","x":1,"x":1,"connectorName":"a"}', "x"),
        (
            '{"connectorName":"a","position":{"side":"flat"},"entryOrder":{"value":1,"value":2,"mode":"m"}}',
            "value",
        ),
    ],
)
def test_a_repeated_field_is_refused(body: str, field: str) -> None:
    assert refusal(body) == f"`{field}` stands twice in one object"


@pytest.mark.parametrize("escape", [r"\ud800", r"\u0000", r"\u007b\u007bx}}"])
def test_escapes_hide_nothing(escape: str) -> None:
    assert refusal(f'{{"connectorName":"a","action":"buy","percent":"1","log":"{escape}"}}').startswith(
        "`log` "
    )


def test_a_body_that_is_too_large() -> None:
    body = as_json(order(log="x" * 20_000))

    assert refusal(body) == f"the signal has {len(body)} bytes, the limit is 16384"
    assert refusal(body.decode()).endswith("the limit is 16384")
    assert refusal(order(log="x" * 20_000)).endswith("the limit is 16384")
    assert refusal(order(log="ä" * 10_000)).endswith("the limit is 16384")
    assert parse(body, Rules(max_bytes=30_000)).log == "x" * 20_000


def test_what_is_accepted_is_never_too_large_when_stored() -> None:
    for length in range(15_900, 16_384):
        try:
            signal = parse(order(log="x" * length, fixed=1e-7, limit=1e22))
        except InvalidSignal:
            continue
        assert parse(stored(signal)) == signal


def _kinds(results: list[Signal | InvalidSignal]) -> list[type]:
    return [type(result) for result in results]


_MIXED = [ORDER, {"bad": 1}, SYNC]
_MIXED_KINDS = [OrderSignal, InvalidSignal, PositionSyncSignal]


@pytest.mark.parametrize(
    "data",
    [
        _MIXED,
        tuple(_MIXED),
        [as_json(item) for item in _MIXED],
        [json.dumps(item) for item in _MIXED],
        as_json(_MIXED),
        json.dumps(_MIXED, indent=2),
        b"\n".join(as_json(item) for item in _MIXED),
        b"\r\n\r\n".join(as_json(item) for item in _MIXED) + b"\r\n",
        b"\xef\xbb\xbf" + b"\n".join(as_json(item) for item in _MIXED),
        as_json(ORDER) + b"\nnonsense\n" + as_json(SYNC),
        as_json(ORDER) + b"\n\xff\xff\n" + as_json(SYNC),
        as_json(ORDER) + b"\n[1,2]\n" + as_json(SYNC),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_one_bad_item_does_not_stop_the_others(data: object) -> None:
    assert _kinds(parse_many(data)) == _MIXED_KINDS


def test_a_bad_first_or_last_line_does_not_stop_the_others() -> None:
    assert _kinds(parse_many(b"nonsense\n" + as_json(ORDER))) == [InvalidSignal, OrderSignal]
    assert _kinds(parse_many(as_json(ORDER) + b"\nnonsense")) == [OrderSignal, InvalidSignal]


def test_single_signals_and_empty_lists() -> None:
    assert parse_many(_BODY) == parse_many(PAGE_SAMPLE) == [parse(PAGE_SAMPLE)]
    assert parse_many(json.dumps(PAGE_SAMPLE, indent=2)) == [parse(PAGE_SAMPLE)]
    assert parse_many([]) == parse_many(b"[]") == []


@pytest.mark.parametrize("body", [b"", b"nonsense", b"{", b"[1,", b"[" * 20_000, None, 5])
def test_what_cannot_be_cut_into_items_is_one_error(body: object) -> None:
    assert _kinds(parse_many(body)) == [InvalidSignal]


def test_a_cut_off_array_is_not_taken_for_lines() -> None:
    rows = b"[\n" + b",\n".join([as_json(ORDER)] * 3)

    assert _kinds(parse_many(rows)) == [InvalidSignal]


def test_texts_inside_a_json_array_are_no_signals() -> None:
    assert _kinds(parse_many(as_json([json.dumps(ORDER)]))) == [InvalidSignal]


def test_size_rules_and_repeated_fields_count_for_each_item() -> None:
    large, repeated = as_json(order(log="x" * 20_000)), b'{"action":"buy","action":"buy"}'
    rows = [as_json(ORDER), large, repeated, as_json(SYNC)]
    kinds = [OrderSignal, InvalidSignal, InvalidSignal, PositionSyncSignal]

    assert _kinds(parse_many(b"\n".join(rows))) == kinds
    assert _kinds(parse_many(b"[" + b",".join(rows) + b"]")) == kinds


class TestHowMuchWorkABadSignalMakes:
    """Counted, not timed: whoever sends nonsense must not keep others from being served."""

    @pytest.fixture
    def guesses(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        made: list[str] = []
        near = difflib.get_close_matches

        def counted(word: str, *rest: Any, **named: Any) -> list[str]:
            made.append(word)
            return near(word, *rest, **named)

        monkeypatch.setattr(difflib, "get_close_matches", counted)
        return made

    @pytest.mark.parametrize("place", [None, "entryOrder", "position"])
    def test_of_many_unknown_fields_one_is_told(
        self, guesses: list[str], monkeypatch: pytest.MonkeyPatch, place: str | None
    ) -> None:
        for model in (OrderSignal, PositionSyncSignal):
            monkeypatch.setattr(model, "model_validate", None)  # it would make an error for each
        many = {f"percentt{number}": "1" for number in range(10_000)}
        signal = {**SYNC, **many} if place is None else {**SYNC, place: {**SYNC[place], **many}}
        with pytest.raises(InvalidSignal, match=r"unknown field `percentt0`.* \(one of \d+ fields\)"):
            parse(signal)
        assert len(guesses) <= 2

    def test_nobody_guesses_at_what_is_no_name(self, guesses: list[str]) -> None:
        for word in ("p" * 41, "percent" * 100_000):
            assert "did you mean" not in refusal(order(**{word: "1"}))
        assert guesses == []
