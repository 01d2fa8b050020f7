"""The accounts file: which connectors there are, their tokens, groups and limits.

file ── read_accounts ──▶ Accounts (one state of the file) ◀── LiveAccounts (follows the file)
"""

from __future__ import annotations

from worker.accounts.book import Accounts
from worker.accounts.model import Account, Group
from worker.accounts.reading import AccountsError, read_accounts
from worker.watched import Watched

LiveAccounts = Watched[Accounts]
"""``current()`` gives the accounts in force."""


def follow_accounts(path: str | None, *, in_background: bool = False) -> LiveAccounts | None:
    """The accounts of a file and its later states; None without a file. Raises AccountsError.

    ``in_background``: see ``Watched``.
    """
    return None if path is None else Watched(path, read_accounts, in_background=in_background)


__all__ = [
    "Account",
    "Accounts",
    "AccountsError",
    "Group",
    "LiveAccounts",
    "follow_accounts",
    "read_accounts",
]
