"""From what lay in Redis to what is posted."""

from __future__ import annotations

from collections.abc import Callable

from worker.accounts import Account, Accounts
from worker.contract import Rules, Signal, check, parse, wire
from worker.errors import InvalidSignal, TokenMissing
from worker.policy import Policy
from worker.records import Head
from worker.vault import MARK, Vault


class Composer:
    """Makes bodies of POSTs. Trusts nothing of what lay in Redis: whoever can write there may have put it."""

    def __init__(
        self,
        rules: Rules,
        policy: Policy,
        *,
        accounts: Callable[[], Accounts] | None = None,
        vault: Vault | None = None,
        keep_delay: bool = False,
    ) -> None:
        """``rules`` and ``policy`` hold where the accounts file says nothing else."""
        self._rules = rules
        self._lenient = rules.lenient()
        self._policy = policy
        self._accounts = accounts
        self._vault = vault
        self._keep_delay = keep_delay

    def __call__(self, head: Head) -> bytes:
        """The body for this head. Raises InvalidSignal if it must not be posted, TokenMissing if it cannot
        be posted yet."""
        signal = parse(head.body.encode("utf-8", "surrogateescape"), self._lenient)
        if signal.connector_name != head.lane:
            raise InvalidSignal(f"connectorName: the signal lies in the lane of {head.lane!r}")
        account = self._account(head.lane)
        if account is not None and not account.enabled:
            raise InvalidSignal("the accounts file says that this account is not enabled")
        check(signal, self._rules if account is None else account.rules(self._rules))
        return wire(signal, token=self._token(signal, account), keep_delay=self._keep_delay)

    def policy(self, lane: str) -> Policy:
        """What is done with the signals of this connector."""
        account = self._account(lane)
        return self._policy if account is None else account.policy(self._policy)

    def rate(self, lane: str) -> tuple[float, int] | None:
        """Signals per second and at once that the accounts file allows this connector; None: as the rest."""
        account = self._account(lane)
        if account is None or account.rate is None:
            return None
        return account.rate, account.burst or 1

    def _account(self, lane: str) -> Account | None:
        return None if self._accounts is None else self._accounts().get(lane)

    def _token(self, signal: Signal, account: Account | None) -> str:
        if account is not None and account.token is not None:
            return account.token.get_secret_value()
        kept = signal.connector_token
        if kept is None:
            raise TokenMissing("no token: neither in the signal nor in the accounts file")
        if not kept.startswith(MARK):
            return kept
        if self._vault is None:
            raise TokenMissing("its token is sealed: set SIGNALS_TOKEN_KEYS_FILE")
        return self._vault.unseal(kept)
