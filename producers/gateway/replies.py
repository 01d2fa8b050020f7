"""From receipts to answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from producers.gateway.problems import Problem
from producers.receipts import Receipt, Status

OK, MIXED = 200, 207
_STATUS = {Status.INVALID: 422, Status.CONFLICT: 409, Status.FULL: 429}


def status_of(receipts: Sequence[Receipt], *, invalid: int = 422) -> int:
    """200 if all is well, 207 if not for all, else what they have in common."""
    statuses = {OK if one.ok else _STATUS[one.status] for one in receipts}
    if len(statuses) > 1:
        return MIXED
    (status,) = statuses
    return invalid if status == _STATUS[Status.INVALID] else status


def as_dicts(receipts: Sequence[Receipt], places: Sequence[int]) -> list[dict[str, Any]]:
    """``places``: of each receipt, which signal of the request it is for."""
    return [{"index": place, **receipt.as_dict()} for place, receipt in zip(places, receipts, strict=True)]


def answer(receipts: Sequence[Receipt], places: Sequence[int], *, invalid: int = 422) -> Response:
    """Receipts as JSON. Raises Problem, with the receipts in it, if all are bad in the same way."""
    status, listed = status_of(receipts, invalid=invalid), as_dicts(receipts, places)
    if status >= 400:
        raise problem_of(receipts[0], status, receipts=listed)
    return json_response({"receipts": listed}, status)


def problem_of(receipt: Receipt, status: int, **more: Any) -> Problem:
    headers = {"Retry-After": "1"} if receipt.status is Status.FULL else {}
    return Problem(status, receipt.error or receipt.status.value, headers=headers, **more)


def json_response(content: Mapping[str, Any], status: int = OK) -> Response:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Response(text, status, media_type="application/json")
