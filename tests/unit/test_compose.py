"""From what lay in Redis to what is posted."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.fakes import make_head
from worker.accounts import Account, Accounts
from worker.compose import Composer
from worker.contract import Rules
from worker.errors import InvalidSignal, SettingsError, TokenMissing
from worker.policy import Policy
from worker.records import Head
from worker.vault import LONGEST, Vault, new_key


def head(**fields: Any) -> Head:
    signal = {"connectorName": "acct", "action": "openLong", "percent": "50", **fields}
    return make_head("acct", body=json.dumps(signal))


def composer(account: dict[str, Any] | None = None, rules: Rules | None = None, **more: Any) -> Composer:
    given = [] if account is None else [Account.model_validate({"name": "acct", **account})]
    return Composer(rules or Rules(), Policy(), accounts=lambda: Accounts(given), **more)


def token(body: bytes) -> object:
    return json.loads(body)["connectorToken"]


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text(new_key() + "\n")
    return file


class TestTokens:
    def test_that_of_the_file_joins_the_body(self) -> None:
        assert token(composer({"token": "t"})(head())) == "t"

    def test_and_goes_before_one_that_was_stored_before_it_was_known(self) -> None:
        assert token(composer({"token": "new"})(head(connectorToken="old"))) == "new"

    @pytest.mark.parametrize("account", [None, {}])
    def test_otherwise_the_signals_own_is_used(self, account: dict[str, Any] | None) -> None:
        assert token(composer(account)(head(connectorToken="own"))) == "own"
        with pytest.raises(TokenMissing, match="neither in the signal nor in the accounts file"):
            composer(account)(head())

    def test_sealed_ones_are_unsealed(self, keys: Path) -> None:
        kept = Vault(str(keys)).seal("sesame")
        assert "sesame" not in kept
        assert token(composer(vault=Vault(str(keys)))(head(connectorToken=kept))) == "sesame"

    def test_a_sealed_one_is_never_posted_as_it_is(self, keys: Path) -> None:
        kept = Vault(str(keys)).seal("sesame")
        with pytest.raises(TokenMissing, match="set SIGNALS_TOKEN_KEYS_FILE"):
            composer()(head(connectorToken=kept))
        keys.write_text(new_key())
        with pytest.raises(TokenMissing, match="no key of SIGNALS_TOKEN_KEYS_FILE fits"):
            composer(vault=Vault(str(keys)))(head(connectorToken=kept))


class TestVault:
    def test_old_keys_still_unseal_and_the_first_seals(self, keys: Path, tmp_path: Path) -> None:
        old = Vault(str(keys))
        rotated = tmp_path / "rotated"
        rotated.write_text(f"{new_key()}\n{keys.read_text()}")
        new = Vault(str(rotated))
        assert new.unseal(old.seal("sesame")) == "sesame"
        with pytest.raises(TokenMissing):
            old.unseal(new.seal("sesame"))

    def test_what_is_sealed_is_a_token_that_the_contract_takes(self, keys: Path) -> None:
        vault = Vault(str(keys))
        longest = "é" * (LONGEST // 2)
        signal = head(connectorToken=vault.seal(longest))
        assert token(composer(vault=vault)(signal)) == longest
        with pytest.raises(InvalidSignal, match=f"at most {LONGEST} bytes"):
            vault.seal(longest + "é")

    @pytest.mark.parametrize("content", ["", "\n", "sesame", "x" * 44])
    def test_a_file_without_keys_is_refused_and_not_shown(self, tmp_path: Path, content: str) -> None:
        file = tmp_path / "keys"
        file.write_text(content)
        with pytest.raises(SettingsError, match="must hold keys") as told:
            Vault(str(file))
        assert "sesame" not in str(told.value)
        with pytest.raises(SettingsError, match="No such file"):
            Vault(str(tmp_path / "none"))


class TestRules:
    @pytest.mark.parametrize(
        ("account", "said"),
        [
            ({"enabled": False}, "not enabled"),
            ({"market": "spot"}, "this is a spot account"),
            ({"max_percent": 20}, "at most 20"),
        ],
    )
    def test_of_the_file_as_it_is_now(self, account: dict[str, Any], said: str) -> None:
        with pytest.raises(InvalidSignal, match=said):
            composer({"token": "t", **account})(head())

    def test_may_be_wider_than_the_settings(self) -> None:
        strict = Rules(max_percent=Decimal(5))
        assert composer({"token": "t", "max_percent": 60}, strict)(head())
        with pytest.raises(InvalidSignal, match="at most 5"):
            composer({"token": "t"}, strict)(head())

    def test_a_signal_in_anothers_lane_is_refused(self) -> None:
        with pytest.raises(InvalidSignal, match="lies in the lane of 'acct'"):
            composer({"token": "t"})(head(connectorName="other"))

    def test_policies_and_rates(self) -> None:
        own = composer({"resend_limit": 0, "rate": 2, "burst": 4})
        assert own.policy("acct") == Policy(resend_limit=0)
        assert own.policy("other") == Policy()
        assert own.rate("acct") == (2.0, 4)
        assert own.rate("other") is None
        assert composer({}).rate("acct") is None
        assert Composer(Rules(), Policy()).policy("acct") == Policy()
