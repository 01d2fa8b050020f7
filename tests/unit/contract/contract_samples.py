"""Samples and strategies that the contract's tests share."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import strategies as st

from worker.contract import Action, parse
from worker.errors import InvalidSignal

TOKEN = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"

PAGE_SAMPLE = {
    "log": "Buy",
    "action": "buy",
    "percent": "100",
    "connectorName": "YOUR_CONNECTOR",
    "connectorToken": "YOUR_TOKEN",
}

ORDER = {
    "connectorName": "main account",
    "connectorToken": TOKEN,
    "action": "openLong",
    "fixed": "1.50",
    "percent": "90",
    "notional": "1000",
    "limit": "27000.50",
    "profit": "28000",
    "loss": "26000",
    "log": "open long",
    "clientOrderId": "entry-17",
    "delaySeconds": 10,
    "delaySecondsFilter": "open",
}

SYNC = {
    "connectorName": "main account",
    "connectorToken": TOKEN,
    "log": "open long",
    "entryOrder": {"value": 100, "mode": "compoundAvailableBalancePercent", "size": 1.5, "price": 27000.5},
    "position": {"side": "long", "size": 1.5, "prev_side": "flat", "prev_size": 0},
    "maxWaitPositionReversalSeconds": 20,
    "delaySeconds": 10,
    "delaySecondsFilter": "open",
}


def order(**fields: object) -> dict[str, object]:
    """A small valid order with some fields replaced; ``...`` removes one."""
    return _changed(
        {"connectorName": "a", "connectorToken": TOKEN, "action": "openLong", "fixed": "1"}, fields
    )


def sync(**fields: object) -> dict[str, object]:
    """The full position sync with some fields replaced; ``...`` removes one."""
    return _changed(SYNC, fields)


def _changed(sample: dict[str, object], fields: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in {**sample, **fields}.items() if value is not ...}


def refusal(data: object, call: Callable[..., object] = parse, **options: object) -> str:
    """The one line with which a signal is refused."""
    with pytest.raises(InvalidSignal) as caught:
        call(data, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert TOKEN not in text
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    return text


def as_json(data: object) -> bytes:
    return json.dumps(data).encode()


# What follows draws raw signals, as a sender would write them.

_characters = st.characters(codec="utf-8", exclude_characters="\0")
texts = st.text(_characters, max_size=30).filter(lambda text: "{{" not in text)
names = (
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1, max_size=128)
    .filter(lambda text: "{{" not in text)
    .filter(lambda text: not text.isspace())
)
_printable = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
tokens = st.one_of(
    st.uuids().map(str), st.text(_printable, min_size=8, max_size=256).filter(lambda text: "{{" not in text)
)
order_ids = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=64).filter(
    lambda text: text == text.strip() and "{{" not in text
)


def amounts(most: str = "1e20") -> st.SearchStrategy[object]:
    exact = st.decimals(min_value=Decimal("1e-12"), max_value=Decimal(most), places=12)
    return st.one_of(
        exact,
        exact.map(str),
        st.integers(1, int(Decimal(most))),
        st.floats(1e-12, float(most), allow_nan=False),
        st.sampled_from(["1e-7", "1.50", "0.10", "007.5", "1E1"]),
    )


_sizes = st.one_of(
    st.integers(0, 10**12), st.floats(0, 1e12), st.decimals(0, 10**12, places=8), st.just("1.50")
)
_delays = st.one_of(
    st.integers(0, 604_800), st.floats(0, 604_800), st.sampled_from(["10", "0.5", "1e2", "00.5"])
)
_common = {
    "connectorToken": tokens,
    "log": texts,
    "delaySeconds": _delays.filter(lambda delay: not isinstance(delay, float) or delay == 0 or delay > 1e-12),
    "delaySecondsFilter": texts,
}


@st.composite
def raw_orders(draw: st.DrawFn) -> dict[str, object]:
    action = draw(st.sampled_from([*Action, "cancellAll", "cancel_all"]))
    optional = {
        **_common,
        "fixed": amounts(),
        "percent": amounts("100"),
        "notional": amounts(),
        "limit": amounts(),
        "clientOrderId": order_ids,
    }
    if action not in {"buy", "sell"}:
        optional |= {"profit": amounts(), "loss": amounts()}
    required = {"connectorName": names, "action": st.just(action)}
    if action == "cancel":
        required["clientOrderId"] = optional.pop("clientOrderId")
    return draw(st.fixed_dictionaries(required, optional=optional))


_sides = st.sampled_from(["long", "short", "flat"])
_modes = st.one_of(st.sampled_from(["totalBalancePercent", "FixedAssetTrade"]), order_ids)
_tiny_free = _sizes.filter(lambda size: not isinstance(size, float) or size == 0 or size > 1e-12)
raw_syncs = st.fixed_dictionaries(
    {
        "connectorName": names,
        "entryOrder": st.fixed_dictionaries(
            {"value": _tiny_free, "mode": _modes}, optional={"size": _tiny_free, "price": _tiny_free}
        ),
        "position": st.fixed_dictionaries(
            {"side": _sides}, optional={"size": _tiny_free, "prev_side": _sides, "prev_size": _tiny_free}
        ),
    },
    optional={**_common, "maxWaitPositionReversalSeconds": st.integers(0, 604_800)},
)
raw_signals = st.one_of(raw_orders(), raw_syncs)
