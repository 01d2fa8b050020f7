"""Admissions as ``lua/admit.lua`` takes them: quick to make, to encode and to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from worker.records import Admission

_KIND = (
    "action",
    "class",
    "delay",
    "window",
    "age",
    "key_window",
    "text",
    "hold",
    "drops",
    "target",
    "trace",
)
"""What signals of a batch may have in common, and mostly do."""


def packed(batch: Sequence[Admission]) -> tuple[list[str | int], list[dict[str, Any]], bytes]:
    """What each has for itself, one behind the other; the kinds there are; and the bodies in one piece."""
    items: list[str | int] = []
    kinds: dict[tuple[object, ...], int] = {}
    bodies: list[bytes] = []
    for one in batch:
        kind = (
            one.action,
            one.action_class,
            one.delay_ms,
            one.window_ms,
            one.max_age_ms,
            one.key_window_ms,
            one.text,
            one.hold_ms,
            one.drops,
            one.target,
            one.trace,
        )
        number = kinds.setdefault(kind, len(kinds) + 1)
        body = one.body.encode("utf-8", "surrogateescape")
        bodies.append(body)
        items += (
            one.id,
            one.connector,
            one.fingerprint,
            one.order_id or "",
            one.idempotency_key or "",
            number,
            len(body),
        )
    return items, [_named(kind) for kind in kinds], b"".join(bodies)


def _named(kind: tuple[object, ...]) -> dict[str, Any]:
    # cjson reads null as a value that is true.
    return {name: value for name, value in zip(_KIND, kind, strict=True) if value is not None}
