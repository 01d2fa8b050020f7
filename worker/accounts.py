"""The accounts file: which connectors there are, and the groups they belong to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from worker.errors import SettingsError

_Name = Annotated[str, Field(min_length=1, max_length=255)]


class Account(BaseModel):
    """One connector."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: _Name
    groups: tuple[_Name, ...] = ()


class Accounts(BaseModel):
    """All connectors of a file: ``{"accounts": [{"name": "acct-1", "groups": ["desk-a"]}, …]}``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    accounts: tuple[Account, ...]

    def members(self, group: str) -> list[str]:
        """The names of a group's connectors, in file order. Raises SettingsError if it has none."""
        found = [account.name for account in self.accounts if group in account.groups]
        if not found:
            known = sorted({name for account in self.accounts for name in account.groups})
            there_are = ", ".join(known) or "none"
            raise SettingsError(f"no account is in the group {group!r}; there are: {there_are}")
        return found


def read_accounts(path: str | None) -> Accounts:
    """The accounts of a JSON file. Raises SettingsError with one line that says what to do."""
    if path is None:
        raise SettingsError("groups need an accounts file: set SIGNALS_ACCOUNTS_FILE")
    try:
        return Accounts.model_validate(json.loads(Path(path).read_bytes()))
    except OSError as error:
        raise SettingsError(f"SIGNALS_ACCOUNTS_FILE: {path}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise SettingsError(f"SIGNALS_ACCOUNTS_FILE: {path}: {where}: {first['msg']}") from None
    except ValueError as error:
        raise SettingsError(f"SIGNALS_ACCOUNTS_FILE: {path}: not JSON ({error})") from None
