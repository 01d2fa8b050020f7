"""One signal for a group becomes one for each of its accounts. Pure."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import TypeGuard

from worker.accounts import Accounts
from worker.contract.hiding import label, shown
from worker.contract.reading import RepeatedField
from worker.errors import InvalidSignal

GROUP = "group"
"""Stands in place of `connectorName` and names a group of the accounts file."""


def is_for_group(source: object) -> TypeGuard[Mapping[str, object]]:
    """Whether a signal is addressed to a group."""
    return isinstance(source, dict | Mapping) and source.get(GROUP) is not None


def expand(source: Mapping[str, object], accounts: Accounts | None) -> Sequence[Mapping[str, object]]:
    """The signals of the group's members, in the order of the accounts file; all else is unchanged.

    The clientOrderId is the same for all: it names an order of its own in each account. Raises InvalidSignal.
    """
    if isinstance(source, RepeatedField):
        raise InvalidSignal(f"{label(source.field)} stands twice in one object")
    name, given = source[GROUP], source.get("connectorToken")
    if accounts is None:
        raise InvalidSignal("`group` needs an accounts file: set SIGNALS_ACCOUNTS_FILE")
    if source.get("connectorName") is not None:
        raise InvalidSignal("`group` and `connectorName` exclude each other")
    members = accounts.members(name) if isinstance(name, str) else ()
    if not members:
        token = given if isinstance(given, str) else None
        raise InvalidSignal(f"`group` {shown(name, token)} has no members in the accounts file")
    if given is not None:
        _check_token(given, str(name), accounts)
    rest = {field: value for field, value in source.items() if field not in (GROUP, "connectorToken")}
    return [{"connectorName": member.name, **rest} for member in members]


def _check_token(given: object, group: str, accounts: Accounts) -> None:
    token = accounts.group_token(group)
    if token is None:
        raise InvalidSignal("`connectorToken`: this group has no token in the accounts file, so leave it out")
    if not hmac.compare_digest(str(given).encode("utf-8", "replace"), token.get_secret_value().encode()):
        raise InvalidSignal("`connectorToken` is not that of the group in the accounts file")
