"""One row for a group becomes one for each of its accounts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from producers.admission import Terms
from producers.fanout import expand, is_for_group
from producers.load.rows import Row
from worker.contract.decimals import JsonNumber
from worker.contract.reading import decode
from worker.errors import InvalidSignal

Fanout: TypeAlias = Callable[[Row], list[Row]]

_MARK = b'"group"'
"""Stands in each JSON line that names a group as people write it: quicker to find than to read the line."""


def fanout(terms: Terms) -> Fanout:
    """Gives the rows for which a row stands: itself, unless it names a ``group`` of the accounts in force."""

    def rows_of(row: Row) -> list[Row]:
        fields = _fields(row)
        if fields is None or not is_for_group(fields):
            return [row]
        try:
            members = expand(fields, terms.accounts and terms.accounts())
        except InvalidSignal as error:
            return [replace(row, source=error.with_traceback(None))]
        return [_for_member(row, one) for one in members]

    return rows_of


def _fields(row: Row) -> Mapping[str, object] | None:
    """What a row says, if it may name a group."""
    if isinstance(row.source, dict):
        return row.source
    if isinstance(row.source, InvalidSignal) or _MARK not in row.source:
        return None
    try:
        content = decode(row.source)
    except InvalidSignal:
        return None  # told when the row is checked
    return content if isinstance(content, dict) else None


def _for_member(row: Row, source: Mapping[str, object]) -> Row:
    # What is set aside of a group's row is the signal of one member: sent again, it goes to nobody else.
    raw = json.dumps(source, ensure_ascii=False, default=_digits).encode("utf-8", "surrogatepass")
    return replace(row, source=dict(source), raw=raw, member=str(source["connectorName"]))


def _digits(value: object) -> str:
    if isinstance(value, JsonNumber):
        return value.text
    raise TypeError(f"no JSON value: {type(value).__name__}")
