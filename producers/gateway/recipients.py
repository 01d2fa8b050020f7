"""Whom a signal is for, and whether its sender may say so. All that the gateway asks of the accounts file."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence

from pydantic import SecretStr

from producers.fanout import GROUP, expand, is_for_group
from producers.gateway.keys import ApiKey
from producers.gateway.problems import Problem
from worker.accounts import Accounts
from worker.contract.reading import RepeatedField

Fields = Mapping[str, object]
_NOBODY = SecretStr("no token is as this: \N{NO ENTRY}")


class Recipients:
    """Turns a signal into those of the connectors it is for."""

    def __init__(self, accounts: Callable[[], Accounts] | None) -> None:
        self._accounts = accounts

    def current(self) -> Accounts | None:
        return None if self._accounts is None else self._accounts()

    def of_webhook(self, signal: Fields) -> Sequence[Fields]:
        """For a sender who is known by the token of the account, or of the group, alone.

        Raises Problem 401 or 403, the same for an unknown name and a wrong token; InvalidSignal.
        """
        accounts = self.current()
        if accounts is None:
            return expand(signal, None) if is_for_group(signal) else [signal]
        _check_token(signal, accounts)
        if is_for_group(signal):
            return expand(signal, accounts)
        # It has done its duty. The file may change before this signal is admitted, and the token with it.
        if isinstance(signal, RepeatedField):
            return [signal]  # to be refused for that
        return [{name: value for name, value in signal.items() if name != "connectorToken"}]

    def of_key(self, signal: Fields, key: ApiKey) -> Sequence[Fields]:
        """For a sender who is known by an API key. Raises Problem 403 and InvalidSignal."""
        accounts = self.current()
        if is_for_group(signal):
            if not key.covers_group(str(signal[GROUP])):
                raise Problem(403, "this API key may not send to that group")
            return expand(signal, accounts)
        name = signal.get("connectorName")
        # Without a name it is no signal, and told so as any other mistake.
        if isinstance(name, str) and not key.covers(name, accounts):
            raise Problem(403, "this API key may not send for that connector")
        return [signal]


def _check_token(signal: Fields, accounts: Accounts) -> None:
    for_group, given = is_for_group(signal), signal.get("connectorToken")
    name = signal.get(GROUP if for_group else "connectorName")
    if name is None or given is None:
        raise Problem(401, "`connectorName` (or `group`) and `connectorToken` are required")
    if for_group:
        known = accounts.group_token(str(name))
    else:
        account = accounts.get(str(name))
        known = account.token if account else None
    # Compared even if there is none: the time it takes must not tell which names there are.
    fits = hmac.compare_digest(
        str(given).encode("utf-8", "replace"), (known or _NOBODY).get_secret_value().encode()
    )
    if known is None or not fits:
        raise Problem(403, "there is no such connector or group, or that is not its token")
