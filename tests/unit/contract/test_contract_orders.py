"""The rules of an order signal, field by field."""

from __future__ import annotations

import pytest

from tests.unit.contract.contract_samples import order, refusal, sync
from worker.contract import Action, OrderSignal, PositionSyncSignal, parse


@pytest.mark.parametrize(
    "name", ["a", "my account 1", "x" * 128, "🚀 bot", "a:b{c}*d[e]", " padded ", "{single}", "名前", "%s"]
)
def test_connector_names(name: str) -> None:
    assert parse(order(connectorName=name)).connector_name == name


@pytest.mark.parametrize(
    "name", ["", "  ", "x" * 129, "a\nb", "a\tb", "a\x00b", "a\x7fb", "a\x85b", "a\u2028b", "\ud800", 5, None]
)
def test_bad_connector_names(name: object) -> None:
    assert refusal(order(connectorName=name)).startswith("`connectorName` ")


@pytest.mark.parametrize("token", ["YOUR_TOKEN", "x", "t" * 256, "3f2504e0-4f89-11d3-9a0c-0305e82c3301"])
def test_connector_tokens(token: str) -> None:
    assert parse(order(connectorToken=token)).connector_token == token


@pytest.mark.parametrize(
    "token", ["", "a b", " a", "t" * 257, "a\n", "a\u00a0b", "\ud800x", 7, True, "{{token}}"]
)
def test_bad_connector_tokens_are_not_shown(token: object) -> None:
    text = refusal(order(connectorToken=token))

    assert text.startswith("`connectorToken` ")
    assert "got" not in text


@pytest.mark.parametrize("absent", [None, ...])
def test_the_token_may_be_left_out(absent: object) -> None:
    assert parse(order(connectorToken=absent)).connector_token is None


@pytest.mark.parametrize("action", list(Action))
def test_actions(action: Action) -> None:
    signal = parse(order(action=action.value, clientOrderId="1"))

    assert isinstance(signal, OrderSignal)
    assert signal.action is action


@pytest.mark.parametrize("alias", ["cancelAll", "cancellAll", "cancel_all"])
def test_spellings_of_cancel_all(alias: str) -> None:
    assert parse(order(action=alias)).action is Action.CANCEL_ALL


@pytest.mark.parametrize(
    ("action", "meant"),
    [
        ("BUY", "buy"),
        ("openlong", "openLong"),
        ("open_long", "openLong"),
        ("close short", "closeShort"),
        ("cancelall", "cancelAll"),
        ("canel", "cancel"),
    ],
)
def test_a_misspelt_action_names_the_nearest(action: str, meant: str) -> None:
    text = refusal(order(action=action))

    assert text.startswith("`action` must be one of buy, sell, openLong, ")
    assert text.endswith(f"got {action!r}: did you mean `{meant}`?")


@pytest.mark.parametrize("action", ["", "x", 1, True, ["buy"], "buy ", "buy\0", "\ud800"])
def test_bad_actions(action: object) -> None:
    assert refusal(order(action=action)).startswith("`action` must be one of")


def test_cancel_requires_the_order_it_cancels() -> None:
    assert refusal(order(action="cancel")) == "`clientOrderId` is required when `action` is cancel"
    assert parse(order(action="cancel", clientOrderId="1")).client_order_id == "1"


@pytest.mark.parametrize("action", ["buy", "sell"])
@pytest.mark.parametrize("field", ["profit", "loss"])
def test_take_profit_and_stop_loss_are_for_futures(action: str, field: str) -> None:
    text = refusal(order(action=action, **{field: "1"}))

    assert text == f"`{field}` is for futures actions only, but `action` is {action}"


@pytest.mark.parametrize("action", ["openLong", "closeLong", "openShort", "closeShort"])
def test_futures_actions_take_profit_and_loss(action: str) -> None:
    signal = parse(order(action=action, profit="2", loss="1"))

    assert (signal.profit, signal.loss) == (2, 1)


@pytest.mark.parametrize("name", ["1", "Long", "a b", "x" * 64, "!~", "{a}"])
def test_client_order_ids(name: str) -> None:
    assert parse(order(clientOrderId=name)).client_order_id == name


@pytest.mark.parametrize("name", ["", " a", "a ", "x" * 65, "ä", "a\n", "a\tb", "😀", 5, False])
def test_bad_client_order_ids(name: object) -> None:
    assert refusal(order(clientOrderId=name)).startswith("`clientOrderId` must be ")


@pytest.mark.parametrize("log", ["", "two\nlines", "日本語", "{a}", "x" * 5000])
def test_logs(log: str) -> None:
    assert parse(order(log=log)).log == log


@pytest.mark.parametrize("log", ["a\0b", "\ud800", "{{close}}", 5, [], True])
def test_bad_logs(log: object) -> None:
    assert refusal(order(log=log)).startswith("`log` ")


@pytest.mark.parametrize("delay", [0, 10, "10", "0.5", 604800, "604800.0", 1e2])
def test_delays(delay: object) -> None:
    assert parse(order(delaySeconds=delay)).delay_seconds == float(delay)


@pytest.mark.parametrize(
    "delay", [-1, "-1", "+1", 604801, "604800.01", "", "ten", "1e9", float("inf"), float("nan"), True, " 1"]
)
def test_bad_delays(delay: object) -> None:
    assert refusal(order(delaySeconds=delay)).startswith(
        "`delaySeconds` must be a number of seconds from 0 to 604800"
    )


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (order(position={"side": "flat"}), "`action` and `position` exclude each other"),
        (order(entryOrder={}), "`entryOrder` belongs to a position sync"),
        (sync(percent="1"), "`percent` belongs to an order signal"),
        (sync(clientOrderId="1"), "`clientOrderId` belongs to an order signal"),
        (order(action=...), "`action` is required (or `position`, for a position sync)"),
        (order(action=..., acton="buy"), "unknown field `acton`: did you mean `action`?"),
        (sync(position=..., postion={}), "unknown field `postion`: did you mean `position`?"),
        (order(foo=1), "unknown field `foo`"),
        (order(connector_name="a"), "unknown field `connector_name`: did you mean `connectorName`?"),
        (order(prcent=1, fixd=1), "unknown field `prcent`: did you mean `percent`? (and 1 more)"),
        ({}, "`action` is required"),
    ],
)
def test_the_two_shapes_do_not_mix(fields: dict[str, object], text: str) -> None:
    assert refusal(fields).startswith(text)


def test_null_counts_as_absent() -> None:
    blank_order = dict.fromkeys(
        ["percent", "limit", "log", "clientOrderId", "delaySeconds", "position", "entryOrder"]
    )
    blank_sync = dict.fromkeys(["action", "percent", "log", "delaySeconds", "maxWaitPositionReversalSeconds"])

    assert parse(order(**blank_order)) == parse(order())
    assert isinstance(parse(sync(**blank_sync)), PositionSyncSignal)


def test_a_field_that_is_no_text() -> None:
    assert refusal({**order(), 5: "x"}) == "field names must be texts, not a number"
    assert refusal({5: "x"}) == "field names must be texts, not a number"
    assert refusal({**order(), ("a",): "x"}) == "field names must be texts, not a list"
