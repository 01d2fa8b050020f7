"""What is done with a signal, and after an attempt: facts in, decisions out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.contract import parse
from worker.lanes import Outcome
from worker.policy import (
    ActionClass,
    Again,
    Finish,
    Policy,
    action_of,
    classes_of,
    classify,
    decide,
    drops,
    max_age,
)
from worker.verdict import Verdict

ENTRY, PARTIAL, FULL, CANCEL = ActionClass.ENTRY, ActionClass.PARTIAL, ActionClass.FULL, ActionClass.CANCEL
POLICY = Policy()


def order(action: str, **fields: object) -> Any:
    return parse({"connectorName": "a", "connectorToken": "t", "action": action, **fields})


def sync(side: str, size: object, prev_side: str | None = None, prev_size: object = None) -> Any:
    position = {"side": side, "size": size, "prev_side": prev_side, "prev_size": prev_size}
    return parse(
        {
            "connectorName": "a",
            "entryOrder": {"mode": "FixedAssetTrade", "value": 1},
            "position": {name: value for name, value in position.items() if value is not None},
        }
    )


@pytest.mark.parametrize(
    ("signal", "expected"),
    [
        (order("buy", percent="100"), ENTRY),
        (order("openLong"), ENTRY),
        (order("openShort", fixed="1"), ENTRY),
        (order("sell"), FULL),
        (order("sell", percent="100"), FULL),
        (order("sell", percent="100.0"), FULL),
        (order("sell", percent="99.9"), PARTIAL),
        (order("closeLong"), FULL),
        (order("closeShort", percent="50"), PARTIAL),
        (order("closeShort", fixed="1"), PARTIAL),
        (order("closeLong", fixed="1", percent="100"), PARTIAL),
        (order("closeLong", percent="100", limit="70000"), PARTIAL),
        (order("sell", limit="70000"), PARTIAL),
        (order("cancel", clientOrderId="x1"), CANCEL),
        (order("cancellAll"), CANCEL),
        (sync("long", 2, "long", 1), ENTRY),
        (sync("long", 1, "long", 2), PARTIAL),
        (sync("long", 1, "long", 1), ENTRY),
        (sync("long", 1, "short", 2), ENTRY),
        (sync("long", 1, "flat", 0), ENTRY),
        (sync("long", 1), ENTRY),
        (sync("flat", 0, "long", 2), FULL),
    ],
)
def test_class_of_a_signal(signal: Any, expected: ActionClass) -> None:
    assert classify(signal) is expected
    assert expected in classes_of(action_of(signal)), "its series begins at 0"


def test_what_a_signal_makes_pointless() -> None:
    assert drops(order("cancel", clientOrderId="x1"), POLICY) == "order"
    assert drops(order("cancelAll"), POLICY) == "all"
    assert drops(order("closeLong"), POLICY) == "openLong"
    assert drops(order("closeShort", percent="100"), POLICY) == "openShort"
    assert drops(order("closeLong", percent="50"), POLICY) is None
    assert drops(order("closeLong"), Policy(close_drops_open=False)) is None
    assert drops(order("openLong"), POLICY) is None
    assert drops(sync("flat", 0), POLICY) is None


def test_only_entries_go_stale() -> None:
    assert max_age(ENTRY, POLICY) == 60
    assert [max_age(kind, POLICY) for kind in (PARTIAL, FULL, CANCEL)] == [None] * 3


def test_the_action_of_a_sync_has_a_name_of_its_own() -> None:
    assert action_of(sync("flat", 0)) == "positionSync"
    assert action_of(order("cancel_all")) == "cancelAll"


def after(verdict: Verdict, kind: ActionClass = ENTRY, **facts: Any) -> Finish | Again:
    basis: dict[str, Any] = {
        "attempt": 1,
        "unknowns": 0,
        "policy": POLICY,
        "uniform": lambda _low, high: high,
    }
    return decide(verdict, "why", action_class=kind, **{**basis, **facts})


@pytest.mark.parametrize("kind", ActionClass)
def test_an_accepted_or_refused_attempt_ends_the_signal(kind: ActionClass) -> None:
    assert after(Verdict.ACCEPTED, kind) == Finish(Outcome.ACCEPTED, "why")
    assert after(Verdict.REJECTED, kind) == Finish(Outcome.REJECTED, "why")


@pytest.mark.parametrize(("kind", "held"), [(ENTRY, True), (PARTIAL, True), (FULL, False), (CANCEL, False)])
def test_after_unknown_only_what_is_harmless_goes_again(kind: ActionClass, held: bool) -> None:
    decision = after(Verdict.UNKNOWN, kind)
    assert decision == (Finish(Outcome.UNKNOWN, "why") if held else Again(0.5, unknown=True))


def test_resending_is_bounded() -> None:
    assert after(Verdict.UNKNOWN, FULL, unknowns=2, attempt=3) == Again(2.0, unknown=True)
    assert after(Verdict.UNKNOWN, FULL, unknowns=3, attempt=4) == Finish(Outcome.UNKNOWN, "why")
    assert after(Verdict.UNKNOWN, FULL, policy=Policy(resend_limit=0)) == Finish(Outcome.UNKNOWN, "why")


def test_a_later_refusal_does_not_settle_an_earlier_unknown() -> None:
    for verdict in (Verdict.REJECTED, Verdict.UNSENT):
        decision = after(verdict, FULL, unknowns=1, attempt=POLICY.max_attempts)
        assert isinstance(decision, Finish)
        assert decision.outcome is Outcome.UNKNOWN


def test_the_pause_doubles_up_to_its_cap() -> None:
    pauses = [after(Verdict.UNSENT, attempt=n) for n in range(1, 9)]
    assert [one.delay for one in pauses if isinstance(one, Again)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_attempts_run_out() -> None:
    assert after(Verdict.UNSENT, attempt=POLICY.max_attempts) == Finish(Outcome.UNSENT, "why")


def test_a_pause_never_outlasts_the_expiry() -> None:
    assert after(Verdict.UNSENT, attempt=9, expires_in=3.0) == Again(3.0)


def test_retry_after_is_obeyed_within_bounds() -> None:
    assert after(Verdict.UNSENT, retry_after=7.0) == Again(7.5)
    assert after(Verdict.UNSENT, retry_after=9999.0) == Again(POLICY.retry_after_cap + 0.5)
    assert after(Verdict.UNSENT, retry_after=7.0, expires_in=5.0) == Finish(Outcome.UNSENT, "why")


@given(
    verdict=st.sampled_from(Verdict),
    kind=st.sampled_from(ActionClass),
    attempt=st.integers(1, 100),
    unknowns=st.integers(0, 100),
    expires_in=st.none() | st.floats(-10, 100),
    retry_after=st.none() | st.floats(0, 1e9),
)
def test_laws_of_every_decision(
    verdict: Verdict,
    kind: ActionClass,
    attempt: int,
    unknowns: int,
    expires_in: float | None,
    retry_after: float | None,
) -> None:
    decision = decide(
        verdict,
        "why",
        action_class=kind,
        attempt=attempt,
        unknowns=unknowns,
        policy=POLICY,
        expires_in=expires_in,
        retry_after=retry_after,
    )
    if isinstance(decision, Again):
        assert attempt < POLICY.max_attempts, "attempts are bounded"
        assert decision.delay >= 0
        if verdict is Verdict.UNKNOWN:
            assert kind in (FULL, CANCEL), "nothing that adds to a position is repeated on a guess"
            assert decision.unknown
    elif decision.outcome in (Outcome.REJECTED, Outcome.UNSENT):
        assert unknowns == 0, "an id is freed only when no order can exist"
