"""From a signal to what the queue takes, and back to a receipt."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from producers.admission import Draft, Prepared, Terms, checked_seconds, prepare, receipt_for, refusal
from producers.receipts import Receipt, Status
from worker.contract import Rules, fingerprint, parse, stored
from worker.errors import InvalidSignal
from worker.lanes import Admission, Admitted
from worker.policy import Policy

TOKEN = "0e9f7a52-8d53-4c6a-9f0e-3b1f7a2c4d5e"
SYNC = {
    "connectorName": "alpha",
    "entryOrder": {"value": 100, "mode": "totalBalancePercent"},
    "position": {"side": "flat", "size": 0, "prev_side": "long", "prev_size": 1},
}


def order(**fields: Any) -> dict[str, Any]:
    return {"connectorName": "alpha", "action": "openLong", "percent": "10", **fields}


def terms(**changes: Any) -> Terms:
    return Terms(**{"rules": Rules(), "policy": Policy(entry_expiry=60), "window": 3600.0, **changes})


def admission(source: object, key: str | None = None, **changes: Any) -> Admission:
    prepared = prepare(Draft(source, key, "id1"), terms(**changes))
    assert isinstance(prepared, Prepared), prepared
    return prepared.admission


def refused(source: object, key: str | None = None, **changes: Any) -> str:
    answer = prepare(Draft(source, key), terms(**changes))
    assert isinstance(answer, InvalidSignal)
    text = str(answer)
    assert "\n" not in text
    assert TOKEN not in text
    return text


def test_an_order_is_translated() -> None:
    source = order(connectorToken=TOKEN, clientOrderId="x1", delaySeconds="1.5")

    taken = admission(source, "key 1")

    signal = parse(source)
    assert taken == Admission(
        id="id1",
        connector="alpha",
        action="openLong",
        action_class="entry",
        delay_ms=1500,
        window_ms=3_600_000,
        fingerprint=fingerprint(signal),
        body=stored(signal).decode(),
        max_age_ms=60_000,
        order_id="x1",
        idempotency_key="key 1",
    )


@pytest.mark.parametrize(
    ("fields", "order_id", "target", "drops"),
    [
        ({"action": "openLong", "clientOrderId": "x1"}, "x1", None, None),
        ({"action": "closeLong", "clientOrderId": "x1"}, "x1", None, None),
        ({"action": "closeLong", "percent": None}, None, None, "openLong"),
        ({"action": "cancel", "clientOrderId": "x1"}, None, "x1", "order"),
        ({"action": "cancelAll", "clientOrderId": "x1"}, None, None, "all"),
        ({"action": "cancel_all"}, None, None, "all"),
    ],
)
def test_only_orders_claim_their_id(
    fields: dict[str, Any], order_id: str | None, target: str | None, drops: str | None
) -> None:
    taken = admission(order(**fields))
    assert (taken.order_id, taken.target, taken.drops) == (order_id, target, drops)


def test_a_position_sync_is_translated() -> None:
    taken = admission(SYNC)
    assert (taken.action, taken.action_class, taken.order_id) == ("positionSync", "full", None)


def test_exits_have_no_expiry_unless_asked_for() -> None:
    close = order(action="closeLong")
    assert admission(close).max_age_ms is None
    assert admission(close, max_age=2.5).max_age_ms == 2500
    assert admission(order(), max_age=2.5).max_age_ms == 2500


def test_the_platform_may_wait_itself() -> None:
    taken = admission(order(delaySeconds=30), platform_delays=True)
    assert taken.delay_ms == 0
    assert '"delaySeconds":30' in taken.body


@pytest.mark.parametrize("form", ["dict", "bytes", "text", "signal"])
def test_every_form_of_a_signal_gives_the_same(form: str) -> None:
    body = b'{"connectorName": "alpha", "action": "openLong", "percent": "10"}'
    source = {"dict": order(), "bytes": body, "text": body.decode(), "signal": parse(body)}[form]
    assert admission(source) == admission(order())


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "\x00", "\ud800", 7])
def test_bad_keys_are_refused_without_being_shown(key: Any) -> None:
    assert refused(order(), key) == "the idempotency key must be 1 to 255 printable characters"


def test_bad_signals_are_answers() -> None:
    assert "did you mean `percent`" in refused(order(perecnt=1, connectorToken=TOKEN))
    assert refused(7) == "a signal must be a JSON object, not a number"
    assert refused(None) == "a signal must be a JSON object, not null"
    assert refused(InvalidSignal("read before")) == "read before"


def test_an_operators_rules_hold_for_parsed_signals_too() -> None:
    rules = Rules(max_percent=Decimal(5), max_bytes=100)
    assert "at most 5" in refused(parse(order()), rules=rules)
    assert "the limit is 100" in refused(parse(order(percent="1", log="x" * 100)), rules=rules)


def test_what_expands_beyond_the_limit_is_refused_now_and_not_by_the_worker() -> None:
    body = b'{"connectorName":"a","action":"buy","fixed":"1e30","limit":"1e30","notional":"1e30"}'
    assert "the limit is 100" in refused(body, rules=Rules(max_bytes=100))


@pytest.mark.parametrize("seconds", [0, -1, 604_801, float("nan"), float("inf")])
def test_durations_have_bounds(seconds: float) -> None:
    with pytest.raises(InvalidSignal, match="max_age must be more than 0"):
        checked_seconds("max_age", seconds)


def receipt(answer: Admitted, **fields: Any) -> Receipt:
    prepared = prepare(Draft(order(**fields), id="id1"), terms())
    assert isinstance(prepared, Prepared)
    return receipt_for(prepared, answer)


def test_receipt_of_an_accepted_signal() -> None:
    told = receipt(Admitted("accepted"), delaySeconds=1.5, percent=None)
    assert told.ok
    assert (told.status, told.id, told.connector, told.due_in) == ("accepted", "id1", "alpha", 1.5)
    assert told.error is None
    assert "100 %" in told.warnings[0]


def test_receipt_of_a_duplicate() -> None:
    told = receipt(Admitted("duplicate", "id0", "waiting"))
    assert told.ok
    assert (told.status, told.id, told.first_id, told.state) == ("duplicate", None, "id0", "waiting")


def test_receipt_of_a_conflict_says_what_to_do() -> None:
    told = receipt(Admitted("conflict", "id0", "accepted"))
    assert not told.ok
    assert (told.status, told.id, told.first_id, told.state) == ("conflict", None, "id0", "accepted")
    assert told.error is not None
    assert "send it under a new one" in told.error


def test_a_duplicate_of_itself_was_accepted() -> None:
    """An earlier try came through, its reply was lost, and the signal has been finished and forgotten."""
    told = receipt(Admitted("duplicate", "id1", "finished"))
    assert (told.status, told.id, told.first_id) == ("accepted", "id1", None)


def test_receipts_as_json() -> None:
    assert refusal(InvalidSignal("no")).as_dict() == {
        "status": "invalid",
        "ok": False,
        "id": None,
        "connector": None,
        "error": "no",
        "first_id": None,
        "state": None,
        "warnings": [],
        "due_in": 0.0,
    }
    assert type(Receipt(Status.ACCEPTED).as_dict()["status"]) is str
