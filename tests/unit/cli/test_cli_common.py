from __future__ import annotations

import click
import pytest

from worker.cli import common


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (None, "?"),
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1 s"),
        (89_999, "89 s"),
        (90_000, "1 min"),
        (5_399_000, "89 min"),
        (5_400_000, "1 h"),
        (172_800_000, "2 d"),
        (-12_000, "-12 s"),
        (10**15, "11574074 d"),
    ],
)
def test_ages_as_a_person_says_them(ms: int | None, text: str) -> None:
    assert common.age(ms) == text


def test_since_looks_both_ways() -> None:
    assert common.since(10_000, 7000) == "3 s ago"
    assert common.since(10_000, 12_000) == "in 2 s"
    assert common.since(10_000, None) == "?"


@pytest.mark.parametrize(
    ("ms", "text"),
    [(0, "1970-01-01 00:00:00.000Z"), (None, "?"), (10**15, "?"), (-(10**15), "?")],
)
def test_moments_are_utc_and_nonsense_is_a_question_mark(ms: int | None, text: str) -> None:
    assert common.moment(ms) == text


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("90s", 90_000),
        ("10m", 600_000),
        ("1.5h", 5_400_000),
        ("2 D", 172_800_000),
        ("500ms", 500),
        ("7", 7000),
    ],
)
def test_durations(text: str, ms: int) -> None:
    assert common.duration(click.Context(click.Command("x")), click.Option(["--x"]), text) == ms


@pytest.mark.parametrize("text", ["", "m", "-1s", "1y", "1e9", "\u0661s", "1 0s", "9" * 10, "inf", "nan"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter):
        common.duration(click.Context(click.Command("x")), click.Option(["--x"]), text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain name", "plain name"),
        ("a\x1b[31m\x9b", "a\\x1b[31m\\x9b"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\u202e\u2066\u200b\ufeff", "\\u202e\\u2066\\u200b\\ufeff"),
        ("\ud800", "\\ud800"),
        ("🚀 资", "🚀 资"),
        ("[red]", "[red]"),
    ],
)
def test_foreign_texts_lose_what_a_terminal_obeys(text: str, shown: str) -> None:
    assert common.safe(text) == shown


def test_long_texts_are_cut() -> None:
    assert common.safe("x" * 500, most=10) == "x" * 9 + "…"
    assert common.name_cell("资" * 128, 11).cell_len <= 11
