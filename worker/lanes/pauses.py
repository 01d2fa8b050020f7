"""Names of what a person can hold back. Pure; ``lua/brakes.lua`` reads the same names."""

from __future__ import annotations

from collections.abc import Iterable

ALL = "all"
ENTRIES = "entries"
BY_PERSON = "person"
"""The reason that a person gives by naming what is to be held; other reasons may hold the same."""


def by_group(group: str) -> str:
    """The reason that a person gives by naming a group."""
    return f"group {group}"


def scopes(connectors: Iterable[str], *, entries_only: bool) -> list[str]:
    """The scopes of these connectors, or of all if there are none."""
    kind = ENTRIES if entries_only else ALL
    return [f"{kind}:{name}" for name in dict.fromkeys(connectors)] or [kind]


def describe(scope: str) -> str:
    """A scope in words: ``entries of acct-7``, ``everything``."""
    kind, colon, connector = scope.partition(":")
    what = "everything" if kind == ALL else "entries"
    return f"{what} of {connector}" if colon else what
