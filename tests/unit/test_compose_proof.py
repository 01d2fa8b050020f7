"""How ``make compose-proof`` judges what it saw; the rest of it needs an engine."""

from __future__ import annotations

from typing import Any

import pytest

from tests.compose.working import doubled


def receipt(action: str = "openLong", *, status: int | None = 200, **other: Any) -> dict[str, Any]:
    told = {"connector": "alpha", "clientOrderId": "o-1", "placed": True, "body": {"percent": "1"}}
    return {**told, "action": action, "status": status, **other}


CLOSE = {"action": "closeLong", "body": {"percent": "100"}}


@pytest.mark.parametrize(
    "arrived",
    [
        [receipt(), receipt()],
        [receipt(status=None), receipt()],
        [receipt(**CLOSE), receipt(**CLOSE)],
        [receipt("sell", status=None, body={"percent": "50"}), receipt("sell", body={"percent": "50"})],
        [receipt(**CLOSE, status=None), receipt(**CLOSE), receipt(**CLOSE)],
    ],
    ids=["answered", "entry", "answered-exit", "partial-exit", "once-too-often"],
)
def test_an_order_that_was_placed_twice_is_seen(arrived: list[dict[str, Any]]) -> None:
    assert doubled(arrived) == ["o-1"]


@pytest.mark.parametrize(
    "arrived",
    [
        [receipt(**CLOSE, status=None), receipt(**CLOSE)],
        [receipt(status=503, placed=False), receipt()],
        [receipt(), receipt("cancel"), receipt("cancel")],
        [receipt(), receipt(connector="beta")],
        [receipt("cancelAll", clientOrderId=None), receipt("cancelAll", clientOrderId=None)],
    ],
    ids=["full-exit-unanswered", "not-placed", "cancel", "other-account", "no-id"],
)
def test_what_does_no_harm_is_let_be(arrived: list[dict[str, Any]]) -> None:
    assert doubled(arrived) == []
