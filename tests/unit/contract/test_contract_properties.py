"""Laws that hold for every signal, and for every input that is none."""

from __future__ import annotations

import json
import math
import random
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.contract.contract_samples import ORDER, SYNC, raw_signals, tokens
from worker.contract import (
    OrderSignal,
    PositionSyncSignal,
    effective_delay_ms,
    fingerprint,
    parse,
    parse_many,
    stored,
    warnings,
    wire,
)
from worker.errors import InvalidSignal

_NUMBERS = {"fixed", "percent", "notional", "limit", "profit", "loss"}


@given(raw_signals)
def test_what_is_stored_comes_back(raw: dict[str, object]) -> None:
    signal = parse(raw)

    assert parse(stored(signal)) == signal
    assert stored(parse(stored(signal))) == stored(signal)
    assert hash(parse(stored(signal))) == hash(signal)


@given(raw_signals, tokens)
def test_what_is_posted_is_the_signal_without_its_delay(raw: dict[str, object], token: str) -> None:
    signal = parse(raw)
    without_delay = {name: value for name, value in raw.items() if not name.startswith("delay")}

    assert parse(wire(signal, token=token)) == parse({**without_delay, "connectorToken": token})
    assert parse(wire(signal, token=token, keep_delay=True)) == parse({**raw, "connectorToken": token})
    assert wire(parse(stored(signal)), token=token) == wire(signal, token=token)


@given(raw_signals)
def test_numbers_are_sent_by_the_letter(raw: dict[str, object]) -> None:
    posted = json.loads(wire(parse(raw), token="t"), parse_float=Decimal, parse_int=Decimal)

    for name in _NUMBERS & raw.keys():
        assert isinstance(posted[name], str)
        assert "e" not in posted[name].lower()
        given_text = repr(raw[name]) if isinstance(raw[name], float) else str(raw[name])
        assert Decimal(posted[name]) == Decimal(given_text)
        if "e" not in given_text.lower():
            assert posted[name] == given_text
    for value in (*posted.get("entryOrder", {}).values(), *posted.get("position", {}).values()):
        assert isinstance(value, str | Decimal)


@given(raw_signals, raw_signals, tokens)
def test_fingerprints(raw: dict[str, object], other: dict[str, object], token: str) -> None:
    signal = parse(raw)
    print_of = fingerprint(signal)

    assert len(print_of) == 22
    assert fingerprint(parse(stored(signal))) == print_of
    assert fingerprint(parse({**raw, "connectorToken": token, "log": "other"})) == print_of
    trading = [
        parse({name: value for name, value in fields.items() if name not in {"connectorToken", "log"}})
        for fields in (raw, other)
    ]
    assert (fingerprint(trading[0]) == fingerprint(trading[1])) is (trading[0] == trading[1])


@given(raw_signals)
def test_delays_are_rounded_up(raw: dict[str, object]) -> None:
    signal = parse(raw)
    delay = effective_delay_ms(signal)

    if delay:
        assert delay == math.ceil(Fraction(signal.delay_seconds) * 1000)
    assert 0 <= delay <= 604_800_000


@given(raw_signals)
def test_no_text_shows_the_token(raw: dict[str, object]) -> None:
    signal = parse(raw)
    if signal.connector_token and signal.connector_token not in repr(OrderSignal.model_fields):
        assert signal.connector_token not in "".join(warnings(signal))
        assert f"'{signal.connector_token}'" not in repr(signal)


def _answers(data: object) -> None:
    try:
        signal = parse(data)
    except InvalidSignal as error:
        text = str(error)
        text.encode()
        assert text.isprintable()
        assert len(text) < 500
    else:
        assert isinstance(signal, OrderSignal | PositionSyncSignal)
        assert parse(stored(signal)) == signal
        wire(signal, token="t")
        fingerprint(signal)
        effective_delay_ms(signal)
    for result in parse_many(data):
        assert isinstance(result, OrderSignal | PositionSyncSignal | InvalidSignal)


_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.text(st.characters()),
    st.binary(max_size=5),
    st.decimals(),
    st.sampled_from(["buy", "long", "FixedAssetTrade", "1", "{{x}}", b"1"]),
)
_trees = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_fields = st.sampled_from([*ORDER, *SYNC, *SYNC["entryOrder"], *SYNC["position"], "foo"])


@given(st.binary())
def test_any_bytes_are_a_signal_or_refused(data: bytes) -> None:
    _answers(data)


@given(st.text(st.characters()))
def test_any_text_is_a_signal_or_refused(data: str) -> None:
    _answers(data)


@given(st.dictionaries(_fields | st.text(max_size=5), _trees))
def test_any_dict_is_a_signal_or_refused(data: dict[str, object]) -> None:
    _answers(data)


@settings(max_examples=300)
@given(st.sampled_from([ORDER, SYNC]), _fields, _trees)
def test_any_value_in_a_valid_signal_is_accepted_or_refused(
    sample: dict[str, object], field: str, value: object
) -> None:
    _answers({**sample, field: value})
    for part in ("entryOrder", "position"):
        _answers({**SYNC, part: {**SYNC[part], field: value}})


@settings(max_examples=300)
@given(st.data())
def test_any_damaged_body_is_accepted_or_refused(data: st.DataObject) -> None:
    body = bytearray(json.dumps(data.draw(st.sampled_from([ORDER, SYNC]))).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        if not body:
            break
    _answers(bytes(body))


_tokens = st.one_of(
    st.sampled_from(
        ["{", "}", "[", "]", ",", ":", '"', "\\", "\\u", "\\ud800", "\\u0000", "e", "-", ".", "{{", " "]
    ),
    st.sampled_from(
        ["null", "true", "NaN", "-Infinity", "1e999999", "-0", "0x1", "9" * 5_000, "\ud800", "\x00"]
    ),
    st.sampled_from([f'"{name}":' for name in (*ORDER, *SYNC)]),
    st.sampled_from([f"{json.dumps(value)}," for value in ORDER.values()]),
    st.text(max_size=3),
)


@settings(max_examples=300)
@given(st.lists(_tokens, max_size=20), st.booleans())
def test_any_heap_of_json_pieces_is_a_signal_or_refused(pieces: list[str], framed: bool) -> None:
    text = "".join(pieces)
    _answers("{" + text + "}" if framed else text)


@settings(max_examples=200)
@given(raw_signals, st.booleans(), st.sampled_from([None, 1, "\t"]), st.randoms(use_true_random=False))
def test_the_way_it_is_written_down_changes_nothing(
    raw: dict[str, object], ascii_only: bool, indent: int | str | None, chance: random.Random
) -> None:
    names = list(raw)
    chance.shuffle(names)
    body = json.dumps(
        {name: raw[name] for name in names}, ensure_ascii=ascii_only, indent=indent, default=str
    )
    signal = parse(raw)

    assert fingerprint(parse(body)) == fingerprint(parse(body.encode())) == fingerprint(signal)
    assert wire(parse(body), token="t") == wire(parse(body.encode()), token="t")


def test_depth_is_no_way_around() -> None:
    deep: object = "x"
    for _ in range(100_000):
        deep = [deep]
    for field in ("log", "connectorToken", "foo", "entryOrder"):
        _answers({**ORDER, field: deep})
    cycle: dict[str, object] = {**ORDER}
    cycle["foo"] = cycle["connectorToken"] = cycle
    _answers(cycle)
    # Python frees a list that is nested so deeply only without recursion; unwrap it by hand.
    while isinstance(deep, list):
        deep = deep.pop()
