"""Rules of misbehaviour: how they read, whom they meet, and that chance repeats."""

from __future__ import annotations

import json

import pytest

from worker.errors import SettingsError
from worker.paper.chooser import Chooser
from worker.paper.mischief import Mischief, Rule

TEXTS = [
    "503:p=0.1",
    "429:retry_after=2,connector=acct-3",
    "500:place=false,body=oops",
    "hang:nth=2,seconds=30",
    "reset:clientOrderId=*,nth=1",
    "reset_early",
    "reset_early:connector=a",
    "drip:every=0.5,action=buy",
    "huge:size=100,first=3",
    "redirect:status=307,location=http://localhost/x",
    "body:body=accepted",
    "close",
    "latency:min=1,max=2",
    "latency:min=1",
]


def chooser(*texts: str, seed: int = 1, latency: tuple[float, float] = (0, 0)) -> Chooser:
    return Chooser(Mischief.from_text(*texts), seed, latency)


def effects(chooser: Chooser, *connectors: str) -> list[str]:
    choices = [chooser.choose(connector, "buy", "").rule for connector in connectors]
    return ["ok" if rule is None else str(rule.status or rule.effect) for rule in choices]


@pytest.mark.parametrize("text", TEXTS)
def test_a_rule_survives_every_form_it_can_be_written_in(text: str) -> None:
    mischief = Mischief.from_text(text)
    assert Mischief.from_text(str(mischief.rules[0])) == mischief
    assert Mischief.from_json(json.loads(json.dumps(mischief.as_json()))) == mischief
    assert Mischief.from_json({"rules": [text]}) == mischief


def test_numbers_may_be_json_numbers() -> None:
    rules = [{"effect": 429, "retry_after": 2, "p": 0.5, "place": True, "connector": None}]
    assert Mischief.from_json(rules).rules == (
        Rule(effect="status", status=429, retry_after="2", p=0.5, place=True),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("200", "unknown effect"),
        ("status", "unknown effect"),
        ("hung", "unknown effect"),
        ("9" * 5000, "unknown effect"),
        ("", "unknown effect"),
        ("503:p", "should read key=value"),
        ("503:q=1", "no setting 'q'"),
        ("503:seconds=1", "no setting 'seconds'"),
        ("reset_early:place=true", "no setting 'place'"),
        ("503:p=2", "probability"),
        ("503:p=x", "expected a number"),
        ("hang:seconds=nan", "finite"),
        ("hang:seconds=-1", "0 to 86400"),
        ("hang:nth=0", "whole number"),
        ("hang:nth=1.5", "whole number"),
        ("hang:place=yes", "true or false"),
        ("redirect:status=200", "301"),
        ("429:retry_after=1\r\nX: y", "one line"),
        ("latency:min=2,max=1", "min is above max"),
    ],
)
def test_a_bad_rule_is_one_line_of_error(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Mischief.from_text(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data", [None, {}, "503", [1], [{}], [{"effect": None}], [{"effect": "hang", "nth": []}]]
)
def test_json_of_another_shape_is_one_line_of_error(data: object) -> None:
    with pytest.raises(SettingsError):
        Mischief.from_json(data)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("400", False),
        ("429", False),
        ("503", False),
        ("500", True),
        ("504", True),
        ("hang", True),
        ("reset", True),
        ("drip", True),
        ("huge", True),
        ("body", True),
        ("close", True),
        ("latency:min=1", True),
        ("redirect", False),
        ("reset_early", False),
        ("500:place=false", False),
        ("429:place=true", True),
    ],
)
def test_each_effect_places_the_order_or_does_not(text: str, places: bool) -> None:
    assert Mischief.from_text(text).rules[0].place is places


def test_without_rules_all_is_well() -> None:
    assert effects(chooser(), "a", "b") == ["ok", "ok"]


def test_the_first_rule_that_matches_acts() -> None:
    assert effects(chooser("503:connector=a", "500"), "a", "b") == ["503", "500"]


def test_a_connector_may_be_a_pattern_or_its_literal_name() -> None:
    assert effects(chooser("503:connector=acct-*"), "acct-1", "other") == ["503", "ok"]
    assert effects(chooser("503:connector=acct[1]"), "acct[1]") == ["503"]


def test_nth_counts_per_connector() -> None:
    assert effects(chooser("503:nth=2"), "a", "b", "a", "b", "a") == ["ok", "ok", "503", "503", "ok"]


def test_nth_counts_per_client_order_id_where_the_rule_names_one() -> None:
    met = chooser("503:clientOrderId=*,nth=1")
    ids = ["x", "x", "y", ""]
    assert [met.choose("a", "buy", one).rule is not None for one in ids] == [True, False, True, False]


def test_first_ends_the_rule() -> None:
    assert effects(chooser("503:first=2"), "a", "b", "c") == ["503", "503", "ok"]


def test_an_action_can_be_matched() -> None:
    met = chooser("503:action=close*")
    assert met.choose("a", "closeLong", "").rule is not None
    assert met.choose("a", "openLong", "").rule is None


def test_latency_adds_up_and_lets_later_rules_act() -> None:
    choice = chooser("latency:min=1,max=2", "503", latency=(10, 10)).choose("a", "buy", "")
    assert 11 <= choice.latency <= 12
    assert choice.rule is not None
    assert choice.label == "latency:min=1.0,max=2.0 503:place=false"


def test_the_same_seed_repeats_however_connectors_interleave() -> None:
    # given the same requests in two orders
    together, apart = chooser("503:p=0.5"), chooser("503:p=0.5")
    mixed = effects(together, *["a", "b"] * 50)
    # when they come one connector after the other
    alone = [effects(apart, *["a"] * 50), effects(apart, *["b"] * 50)]
    # then each connector is treated alike
    assert [mixed[::2], mixed[1::2]] == alone
    assert effects(chooser("503:p=0.5", seed=2), *["a"] * 50) != alone[0]


def test_probability_is_about_right() -> None:
    hits = effects(chooser("503:p=0.2"), *(f"acct-{n}" for n in range(1000))).count("503")
    assert 140 < hits < 260


def test_a_reset_before_the_body_cannot_look_at_it() -> None:
    early, late = chooser("reset_early:nth=2"), chooser("reset_early:connector=a")
    assert [early.before_body() is not None for _ in range(3)] == [False, True, False]
    assert early.choose("a", "buy", "").rule is None
    assert late.before_body() is None
    assert late.choose("a", "buy", "").rule is not None
