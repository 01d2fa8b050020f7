"""All accounts of a file, as they were at one time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import SecretStr

from worker.accounts.model import Account, Group


class Accounts:
    """An immutable set of connectors, asked by name or by group."""

    def __init__(self, accounts: Iterable[Account] = (), groups: Iterable[Group] = ()) -> None:
        self._accounts = {account.name: account for account in accounts}
        self._members: dict[str, list[Account]] = {}
        for account in self._accounts.values():
            for name in dict.fromkeys(account.groups):
                self._members.setdefault(name, []).append(account)
        self._group_tokens = {group.name: group.token for group in groups}

    def get(self, name: str) -> Account | None:
        """The account of this name."""
        return self._accounts.get(name)

    def members(self, group: str) -> tuple[Account, ...]:
        """The accounts of a group, in the order of the file; empty if there is no such group."""
        return tuple(self._members.get(group, ()))

    def group_token(self, group: str) -> SecretStr | None:
        """The token that lets its bearer address the whole group; None if there is none."""
        return self._group_tokens.get(group)

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of all groups, in the order of the file."""
        return tuple(self._members)

    def __iter__(self) -> Iterator[Account]:
        return iter(self._accounts.values())

    def __len__(self) -> int:
        return len(self._accounts)
