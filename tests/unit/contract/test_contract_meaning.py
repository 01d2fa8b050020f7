"""Operators' rules, delays, fingerprints and warnings."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.unit.contract.contract_samples import ORDER, PAGE_SAMPLE, SYNC, TOKEN, order, refusal, sync
from worker.contract import Rules, check, effective_delay_ms, fingerprint, parse, warnings
from worker.errors import InvalidSignal

_IMPLICIT = "names no `fixed` or `percent`: the platform uses 100 % of the balance"


@pytest.mark.parametrize("percent", ["100.01", "101", 1000])
@pytest.mark.parametrize("action", ["buy", "sell", "openLong", "closeShort"])
def test_percent_is_at_most_a_hundred(action: str, percent: object) -> None:
    text = refusal(order(action=action, percent=percent))

    assert text.startswith("`percent` must be greater than 0 and at most 100, got ")


def test_a_lower_limit_caps_entries_and_lets_exits_go() -> None:
    rules = Rules(max_percent=Decimal("12.5"))

    assert parse(order(percent="12.5"), rules).percent == Decimal("12.5")
    assert refusal(order(percent="12.6"), rules=rules).endswith("at most 12.5, got '12.6'")
    assert parse(order(action="closeLong", percent="100"), rules).percent == 100
    assert refusal(order(action="sell", percent="100.1"), rules=rules).endswith("at most 100, got '100.1'")


def test_a_higher_limit_lets_more_through() -> None:
    assert parse(order(percent="150"), Rules(max_percent=Decimal(200))).percent == 150


def test_a_lower_limit_is_not_evaded_by_leaving_out_the_size() -> None:
    text = refusal(order(fixed=...), rules=Rules(max_percent=Decimal(50)))

    assert text.endswith("without a size it would use 100 % of the balance, and at most 50 % are allowed")


@pytest.mark.parametrize("action", ["buy", "openLong", "openShort"])
def test_an_entry_without_size_warns_or_is_refused(action: str) -> None:
    unsized = order(action=action, fixed=...)

    assert warnings(parse(unsized)) == (f"`{action}` {_IMPLICIT}",)
    assert refusal(unsized, rules=Rules(require_size=True)).startswith(
        f"`{action}` needs `fixed` or `percent`"
    )
    for size in ("fixed", "percent", "notional"):
        assert warnings(parse({**unsized, size: "1"}, Rules(require_size=True))) == ()


@pytest.mark.parametrize("action", ["sell", "closeLong", "closeShort", "cancelAll"])
def test_an_exit_needs_no_size(action: str) -> None:
    assert warnings(parse(order(action=action, fixed=...), Rules(require_size=True))) == ()


def test_rules_can_be_checked_later() -> None:
    signal = parse(order(percent="60"))

    check(signal, Rules())
    check(parse(SYNC), Rules(max_percent=Decimal(1)))
    with pytest.raises(InvalidSignal, match="at most 50, got '60'"):
        check(signal, Rules(max_percent=Decimal(50)))


@pytest.mark.parametrize(
    ("fields", "milliseconds"),
    [
        ({}, 0),
        ({"delaySeconds": 0}, 0),
        ({"delaySeconds": 10}, 10_000),
        ({"delaySeconds": "1.5"}, 1_500),
        ({"delaySeconds": "0.0001"}, 1),
        ({"delaySeconds": "1.0000000000000000000000000000000000000001"}, 1_001),
        ({"delaySeconds": 604_800}, 604_800_000),
        ({"delaySeconds": 10, "delaySecondsFilter": "open", "log": "reopened"}, 10_000),
        ({"delaySeconds": 10, "delaySecondsFilter": "open", "log": "Open"}, 0),
        ({"delaySeconds": 10, "delaySecondsFilter": "open"}, 0),
        ({"delaySeconds": 10, "delaySecondsFilter": ".*", "log": "open"}, 0),
        ({"delaySeconds": 10, "delaySecondsFilter": ""}, 10_000),
        ({"delaySecondsFilter": "open", "log": "open"}, 0),
    ],
)
def test_delays(fields: dict[str, object], milliseconds: int) -> None:
    assert effective_delay_ms(parse(order(**fields))) == milliseconds
    assert effective_delay_ms(
        parse({**sync(log=..., delaySeconds=..., delaySecondsFilter=...), **fields})
    ) == (milliseconds)


def test_fingerprints_do_not_change_between_releases() -> None:
    assert fingerprint(parse(PAGE_SAMPLE)) == "fiPZ3P-X54IqrPTwPWdH9g"
    assert fingerprint(parse(ORDER)) == "2FyZsmx6eLUAIhwzWwNP4w"
    assert fingerprint(parse(SYNC)) == "kqHYcCgWw0WuvtC8BdOiog"


@pytest.mark.parametrize(
    "twin",
    [
        {"connectorToken": "other"},
        {"connectorToken": None},
        {"log": "other"},
        {"log": None},
        {"fixed": "1.5"},
        {"fixed": 1.5},
        {"fixed": "01.500"},
        {"percent": "9e1"},
        {"delaySeconds": "10.0"},
    ],
)
def test_signals_that_trade_the_same_have_one_fingerprint(twin: dict[str, object]) -> None:
    assert fingerprint(parse({**ORDER, **twin})) == fingerprint(parse(ORDER))


_OTHER = {
    "connectorName": "other",
    "action": "openShort",
    "fixed": "1.51",
    "percent": "91",
    "notional": "1001",
    "limit": "27000.51",
    "profit": "28001",
    "loss": "26001",
    "clientOrderId": "entry-18",
    "delaySeconds": 11,
    "delaySecondsFilter": "Open",
}


@pytest.mark.parametrize("field", _OTHER)
def test_every_trading_field_counts(field: str) -> None:
    assert fingerprint(parse({**ORDER, field: _OTHER[field]})) != fingerprint(parse(ORDER))
    if field not in {"connectorName", "action"}:
        assert fingerprint(parse({**ORDER, field: None})) != fingerprint(parse(ORDER))


@pytest.mark.parametrize("part", ["entryOrder", "position"])
def test_every_nested_field_counts(part: str) -> None:
    others = {"value": 99, "mode": "FixedAssetTrade", "size": 2, "price": 1, "side": "short", "prev_size": 1}
    for field in SYNC[part]:
        changed = {**SYNC[part], field: others.get(field, "short")}
        assert fingerprint(parse(sync(**{part: changed}))) != fingerprint(parse(SYNC))


def test_values_do_not_move_between_fields() -> None:
    assert fingerprint(parse(order(profit="1"))) != fingerprint(parse(order(loss="1")))
    aliases = {fingerprint(parse(order(action=alias))) for alias in ("cancelAll", "cancellAll", "cancel_all")}
    assert len(aliases) == 1


@pytest.mark.parametrize(
    ("fields", "start"),
    [
        ({"percent": "1"}, "`fixed` and `percent` are both present"),
        ({"clientOrderId": "Long"}, "`clientOrderId` has no digits"),
        ({"connectorToken": "YOUR_TOKEN"}, "`connectorToken` does not look like a UUID"),
        ({"delaySecondsFilter": "open"}, "`delaySecondsFilter` has no effect without `delaySeconds`"),
    ],
)
def test_warnings(fields: dict[str, object], start: str) -> None:
    (text,) = warnings(parse(order(**fields)))

    assert text.startswith(start)
    assert TOKEN not in text


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"clientOrderId": "Long 1"},
        {"clientOrderId": "Long", "action": "cancel"},
        {"connectorToken": TOKEN.upper()},
        {"connectorToken": None},
        {"delaySeconds": 1, "delaySecondsFilter": "x"},
    ],
)
def test_nothing_to_warn_of(fields: dict[str, object]) -> None:
    assert warnings(parse(order(**fields))) == ()
