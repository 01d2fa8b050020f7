"""What is answered when something is wrong: problem details (RFC 9457), or one line of text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from producers.gateway.headers import Headers

JSON = "application/problem+json"
TEXT = "text/plain; charset=utf-8"
UNAUTHORIZED = {"WWW-Authenticate": "Bearer"}


class Problem(Exception):
    """An answer that is no success. ``detail`` is one line for a person and holds no secret."""

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        """``more``: further members of the JSON form."""
        super().__init__(detail)
        self.status, self.detail, self.headers, self.more = status, detail, headers or {}, more

    def as_dict(self) -> dict[str, Any]:
        title = HTTPStatus(self.status).phrase
        return {
            "type": "about:blank", "title": title, "status": self.status, "detail": self.detail, **self.more,
        }  # fmt: skip


MISTAKE = Problem(500, "this is our mistake; the log knows more")


def as_json(problem: Problem) -> Response:
    """The answer for programs."""
    content = json.dumps(problem.as_dict(), ensure_ascii=False).encode("utf-8", "replace")
    return Response(content, problem.status, dict(problem.headers), JSON)


def as_text(problem: Problem) -> Response:
    """The answer for TradingView's log of alerts, and for people with curl."""
    line = f"{problem.detail}\n".encode("utf-8", "replace")
    return Response(line, problem.status, dict(problem.headers), TEXT)


def wants_json(headers: Headers) -> bool:
    """Whether the sender asks for JSON; who takes text as well, as axios does, is content with that."""
    accepted = headers.get("accept")
    return "json" in accepted and "text/plain" not in accepted
