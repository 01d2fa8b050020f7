"""One head: posted only if that is still right, and what follows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.fakes import FakeObserver, FakePoster, make_head
from worker.errors import InvalidSignal, TokenMissing
from worker.handling import Handler, Job, Pace
from worker.lanes import Deferral, Head, Outcome, Settlement
from worker.policy import Policy
from worker.verdict import Attempt, Verdict


class Case:
    """A handler whose clock, endpoint and stop switch the test holds."""

    def __init__(self, verdict: Verdict = Verdict.ACCEPTED, **attempt: Any) -> None:
        self.now = 100.0
        self.stopping = False
        self.poster = FakePoster(lambda _body: Attempt(verdict, "why", 0.25, **attempt))
        self.observer = FakeObserver()
        self.handler = Handler(
            poster=self.poster,
            observer=self.observer,
            compose=lambda head: head.body.encode(),
            policy=lambda _lane: Policy(),
            pace=Pace(lease=20.0, quantum_signals=3, quantum_seconds=5.0),
            stopping=lambda: self.stopping,
            clock=lambda: self.now,
        )

    def handle(self, head: Head, **job: Any) -> Settlement | Deferral:
        basis: dict[str, Any] = {"asked_at": 100.0, "redis_ms": 1000, "lane_since": 100.0, "lane_count": 1}
        return self.handler.handle(Job(head, **{**basis, **job}))


def test_an_accepted_signal_is_settled_and_more_is_wanted() -> None:
    case = Case()
    head = make_head(body='{"x":1}')
    assert case.handle(head) == Settlement(head, Outcome.ACCEPTED, "why", "", more=True, health="well")
    assert case.poster.posted == [b'{"x":1}']


def test_a_troubled_attempt_is_remembered() -> None:
    result = Case(Verdict.REJECTED).handle(make_head())
    assert json.loads(result.note) == {
        "attempt": 1,
        "at": 750,
        "ms": 250,
        "verdict": "rejected",
        "why": "why",
    }


def test_an_unsent_signal_keeps_its_place() -> None:
    result = Case(Verdict.UNSENT, retry_after=2.0).handle(make_head())
    assert isinstance(result, Deferral)
    assert 2000 <= result.delay_ms <= 2500
    assert not result.refund


@pytest.mark.parametrize(
    ("kind", "held"), [("entry", True), ("partial", True), ("full", False), ("cancel", False)]
)
def test_an_orphan_is_judged_and_not_posted(kind: str, held: bool) -> None:
    case = Case()
    result = case.handle(make_head(orphan=True, action_class=kind))
    assert case.poster.posted == []
    if held:
        assert isinstance(result, Settlement)
        assert result.outcome is Outcome.UNKNOWN
    else:
        assert isinstance(result, Deferral)
        assert result.unknown


@pytest.mark.parametrize(("elapsed", "posted"), [(0.0, True), (10.0, True), (10.1, False), (600.0, False)])
def test_nothing_is_posted_under_a_lease_that_may_end_first(elapsed: float, posted: bool) -> None:
    case = Case()
    case.now += elapsed
    result = case.handle(make_head())
    assert bool(case.poster.posted) is posted
    if not posted:
        assert isinstance(result, Deferral)
        assert result.refund
        assert result.delay_ms == 0


def test_an_entry_that_may_be_stale_is_left_for_redis_to_judge() -> None:
    case = Case()
    case.now += 2.0  # Redis says at most 3000 ms by now, but may say 1000: its answer took long
    result = case.handle(make_head(expires_ms=2999))
    assert case.poster.posted == []
    assert isinstance(result, Deferral)
    assert result.refund
    assert result.delay_ms == 0


def test_an_entry_that_becomes_stale_while_connecting_is_withheld() -> None:
    case = Case()
    inner = case.poster.post

    def slow_to_connect(body: bytes, *, may_begin: Any) -> Attempt:
        case.now += 2.0
        return inner(body, may_begin=may_begin)

    case.poster.post = slow_to_connect  # type: ignore[method-assign]
    result = case.handle(make_head(expires_ms=2999))
    assert case.poster.posted == []
    assert isinstance(result, Deferral)
    assert result.refund


def test_a_stopping_worker_begins_nothing() -> None:
    case = Case()
    case.stopping = True
    result = case.handle(make_head())
    assert case.poster.posted == []
    assert isinstance(result, Deferral)
    assert result.refund


@pytest.mark.parametrize(
    ("count", "seconds", "more"), [(1, 0.0, True), (2, 4.9, True), (3, 0.0, False), (1, 5.0, False)]
)
def test_a_busy_lane_gives_others_a_turn(count: int, seconds: float, more: bool) -> None:
    result = Case().handle(make_head(), lane_since=100.0 - seconds, lane_count=count)
    assert isinstance(result, Settlement)
    assert result.more is more


@pytest.mark.parametrize(("unknowns", "outcome"), [(0, Outcome.INVALID), (1, Outcome.UNKNOWN)])
def test_what_is_no_signal_is_not_posted(unknowns: int, outcome: Outcome) -> None:
    case = Case()

    def refuse(head: Head) -> bytes:
        raise InvalidSignal("`action`: missing")

    case.handler._compose = refuse
    result = case.handle(make_head(unknowns=unknowns))
    assert case.poster.posted == []
    assert isinstance(result, Settlement)
    # what may have been taken before is unknown, however this attempt ended
    assert (result.outcome, result.why) == (outcome, "`action`: missing")


def test_a_class_that_is_none_counts_as_what_is_never_repeated() -> None:
    result = Case(Verdict.UNKNOWN).handle(make_head(action_class="nonsense"))
    assert isinstance(result, Settlement)
    assert result.outcome is Outcome.UNKNOWN


def test_of_an_orphan_it_is_told_when_its_worker_was_given_it() -> None:
    result = Case().handle(make_head(orphan=True, taken_ms=400))
    note = json.loads(result.note)
    assert (note["at"], note["until"], note["ms"]) == (400, 1000, None)


def test_a_signal_whose_token_is_not_known_is_tried_again_and_no_fault_of_the_endpoint() -> None:
    case = Case()

    def compose(_head: Head) -> bytes:
        raise TokenMissing("no token")

    case.handler._compose = compose
    result = case.handle(make_head(attempt=3))
    assert isinstance(result, Deferral)
    assert (result.refund, result.unknown, result.health) == (False, False, None)
    assert json.loads(result.note)["why"] == "no token"
    assert case.poster.posted == []
    result = case.handle(make_head(attempt=20))
    assert isinstance(result, Settlement)
    assert (result.outcome, result.health) == (Outcome.UNSENT, None)
