"""What an answer tells."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.verdict import Attempt, Reading, Verdict, health, judge, retry_after

ACCEPTED, REJECTED, UNSENT, UNKNOWN = Verdict.ACCEPTED, Verdict.REJECTED, Verdict.UNSENT, Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b"ok", ACCEPTED),
        (201, b"ok", ACCEPTED),
        (200, b' "ok"\n', ACCEPTED),
        (200, b"OK", UNKNOWN),
        (200, b"", UNKNOWN),
        (200, b"<html>ok</html>", UNKNOWN),
        (200, b"\xff", UNKNOWN),
        (204, b"", UNKNOWN),
        (301, b"ok", REJECTED),
        (302, b"", REJECTED),
        (400, b"ok", REJECTED),
        (401, b"", REJECTED),
        (404, b"", REJECTED),
        (408, b"", UNKNOWN),
        (425, b"", UNSENT),
        (429, b"", UNSENT),
        (499, b"", REJECTED),
        (500, b"ok", UNKNOWN),
        (502, b"", UNKNOWN),
        (503, b"", UNSENT),
        (504, b"", UNKNOWN),
        (599, b"", UNKNOWN),
        (101, b"", UNKNOWN),
        (600, b"", UNKNOWN),
    ],
)
def test_verdict_on_an_answer(status: int, body: bytes, expected: Verdict) -> None:
    assert judge(status, body, Reading()) is expected


@pytest.mark.parametrize(
    ("verdict", "status", "expected"),
    [
        (ACCEPTED, 200, "well"),
        (REJECTED, 401, "well"),
        (UNSENT, 503, "ill"),
        (UNSENT, None, "ill"),
        (UNKNOWN, None, "ill"),
        (UNKNOWN, 500, "ill"),
        (UNKNOWN, 200, None),
        (UNKNOWN, 408, None),
        (None, None, None),
    ],
)
def test_what_an_attempt_tells_of_the_endpoint(
    verdict: Verdict | None, status: int | None, expected: str | None
) -> None:
    assert health(Attempt(verdict, "why", 0.1, status=status)) == expected


def test_statuses_and_body_are_settings() -> None:
    reading = Reading(
        expected_body="received", unsent_statuses=frozenset({502}), unknown_statuses=frozenset({409})
    )
    assert judge(200, b"received", reading) is ACCEPTED
    assert judge(200, b"ok", reading) is UNKNOWN
    assert judge(502, b"", reading) is UNSENT
    assert judge(409, b"", reading) is UNKNOWN
    assert judge(503, b"", reading) is UNKNOWN


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("7", 7.0),
        (" 0 ", 0.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("Sun, 22 Nov 2026 14:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 13:00:00 GMT", 0.0),
        ("²", None),
        ("Sun, 22 Nov 2026 14:00:30 +99999999999999999", None),
    ],
)
def test_retry_after(header: str | None, expected: float | None) -> None:
    assert retry_after(header, datetime(2026, 11, 22, 14, 0, 0, tzinfo=UTC)) == expected


@given(st.text())
def test_any_retry_after_is_a_number_or_nothing(header: str) -> None:
    seconds = retry_after(header)
    assert seconds is None or seconds >= 0
