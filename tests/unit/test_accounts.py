"""The accounts file."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.accounts import Accounts, AccountsError, follow_accounts, read_accounts
from worker.contract import Rules
from worker.errors import SettingsError
from worker.policy import Policy

UUID = "3f2b8c1e-0d4a-4c39-9a57-d2f0c1b7a6e5"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "accounts.yaml"


def read(file: Path, text: str) -> Accounts:
    file.write_text(text)
    return read_accounts(file)[0]


def problems(file: Path, text: str) -> list[str]:
    file.write_text(text)
    with pytest.raises(AccountsError) as told:
        read_accounts(file)
    assert "\n" not in str(told.value)
    return told.value.problems


def token_of(accounts: Accounts, name: str) -> str | None:
    account = accounts.get(name)
    assert account is not None
    return None if account.token is None else account.token.get_secret_value()


class TestReading:
    def test_everything_that_can_be_said(self, file: Path) -> None:
        accounts = read(
            file,
            """
            accounts:
              - name: alpha
                token: abc
                groups: [desk-a, desk-b]
                market: futures
                enabled: false
                rate: 2.5
                burst: 3
                max_percent: 12.5
                require_size: true
                dedup_window: 60
                entry_expiry: 5
                resend_limit: 0
              - name: beta 2
                groups: [desk-b]
            groups:
              - {name: desk-b, token: whole-desk}
            """,
        )
        alpha = accounts.get("alpha")
        assert alpha is not None
        assert (alpha.market, alpha.enabled, alpha.rate, alpha.burst) == ("futures", False, 2.5, 3)
        assert alpha.rules(Rules(max_bytes=500)) == Rules(Decimal("12.5"), True, 500, "futures")
        assert alpha.policy(Policy(max_attempts=7)) == Policy(
            max_attempts=7, entry_expiry=5.0, resend_limit=0
        )
        assert token_of(accounts, "beta 2") is None
        assert [account.name for account in accounts.members("desk-b")] == ["alpha", "beta 2"]
        assert accounts.members("desk-c") == ()
        assert accounts.groups == ("desk-a", "desk-b")
        token = accounts.group_token("desk-b")
        assert token is not None
        assert token.get_secret_value() == "whole-desk"
        assert accounts.group_token("desk-a") is None
        assert len(accounts) == 2

    def test_what_is_not_said_is_as_the_settings_say(self, file: Path) -> None:
        (alpha,) = read(file, "accounts: [{name: alpha}]")
        rules, policy = Rules(max_percent=Decimal(3)), Policy(entry_expiry=9)
        assert alpha.rules(rules) is rules
        assert alpha.policy(policy) is policy

    def test_json_is_read_as_well(self, tmp_path: Path) -> None:
        file = tmp_path / "accounts.json"
        assert token_of(read(file, '{"accounts": [{"name": "a", "token": "t"}]}'), "a") == "t"
        assert "stands twice" in problems(file, '{"accounts": [{"name": "a", "name": "b"}]}')[0]
        assert problems(file, '{"accounts": [}') == ["no JSON: line 1: Expecting value"]

    def test_tokens_of_the_environment_and_of_files(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ALPHA_TOKEN", "from-environment")
        (file.parent / "beta.token").write_text("from-file\n")
        file.write_text(
            "accounts: [{name: alpha, token: '${ALPHA_TOKEN}'}, {name: beta, token_file: beta.token}]"
        )
        accounts, beside = read_accounts(file)
        assert token_of(accounts, "alpha") == "from-environment"
        assert token_of(accounts, "beta") == "from-file"
        assert beside == [file.parent / "beta.token"]

    def test_all_problems_are_told_at_once(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NOWHERE", raising=False)
        (file.parent / "empty").write_text("\n")
        told = problems(
            file,
            f"""
            acounts: []
            accounts:
              - {{name: alpha, tokn: sesame}}
              - {{name: 12}}
              - {{name: beta, token_file: none, groups: desk}}
              - {{name: gamma, token: "${{NOWHERE}}", rate: -1}}
              - {{name: {UUID}}}
              - {{name: delta, token: "sesame open", market: forex, max_percent: 0}}
              - {{name: twice, token: a, token_file: empty}}
              - {{name: twice, token_file: empty}}
              - sesame
              - {{name: epsilon, token: "x${{NOWHERE}}"}}
              - {{name: zeta, token: 12}}
            groups:
              - {{name: desk, token: b}}
            """,
        )
        expected = (
            "`acounts`: no such section; did you mean `accounts`?",
            "accounts, entry 1 (alpha): `tokn`: no such field; did you mean `token`?",
            "entry 2 (its name is not valid): `name`: must be a text: put it into quotes",
            "entry 3 (beta): `token_file`: ",
            "entry 3 (beta): `groups`: input should be a valid",
            "entry 4 (gamma): `token`: the environment has no NOWHERE",
            "entry 4 (gamma): `rate`: input should be greater",
            "entry 5 (its name is not valid): `name`: looks like a token",
            "entry 6 (delta): `token`: must be 1 to 256 printable characters",
            "entry 6 (delta): `market`: input should be 'spot' or 'futures'",
            "entry 6 (delta): `max_percent`: input should be greater",
            "entry 7 (twice): `token` and `token_file` exclude each other",
            "entry 8 (twice): `token_file`: ",
            "accounts, entry 9: must be a mapping with a `name`",
            "entry 10 (epsilon): `token`: a variable must be all of it: ${NAME}",
            "entry 11 (zeta): `token`: must be a text: put it into quotes",
            "accounts: `twice` stands 2 times",
            "groups: no account is in `desk`",
        )
        assert [text for text in expected if not any(text in problem for problem in told)] == []
        assert len(told) == len(expected)
        assert not any("sesame" in problem or UUID in problem for problem in told)

    def test_an_entry_that_is_wrong_hides_nothing_else(self, file: Path) -> None:
        told = problems(
            file,
            f"""
            accounts:
              - {{name: alpha, groups: [desk]}}
              - {{name: alpha, tokn: sesame}}
              - {{name: beta, groups: [floor], rate: -1}}
              - {{name: {UUID}}}
              - {{name: {UUID}}}
              - {{tokn: sesame}}
            groups:
              - {{name: desk}}
              - {{name: desk, rate: 1}}
              - {{name: floor}}
              - {{name: nobody, rate: 1}}
            """,
        )
        assert [line for line in told if "entry" not in line] == [
            "accounts: `alpha` stands 2 times",
            "groups: `desk` stands 2 times",
            "groups: no account is in `nobody`",
        ]
        assert not any("sesame" in problem or UUID in problem for problem in told)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "must be a mapping with a list of `accounts`"),
            ("[]", "must be a mapping with a list of `accounts`"),
            ("groups: []", "there is no list of `accounts`"),
            ("accounts: 3", "`accounts` must be a list"),
            ("accounts: [", "no YAML: line "),
            ("accounts: [{name: a, name: b}]", "`name` stands twice in one entry"),
            ("accounts: [{? [a] : b}]", "no YAML: "),
            ("a: !!python/object:os.system x", "no YAML: "),
            ("\x00", "no YAML: "),
        ],
    )
    def test_what_is_no_accounts_file(self, file: Path, text: str, said: str) -> None:
        assert said in problems(file, text)[0]

    def test_no_file(self, file: Path) -> None:
        with pytest.raises(SettingsError, match="No such file"):
            read_accounts(file)
        assert follow_accounts(None) is None

    def test_no_token_is_printed(self, file: Path) -> None:
        accounts = read(file, "accounts: [{name: a, token: sesame}]")
        assert "sesame" not in f"{list(accounts)!r} {list(accounts)}"

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["accounts", "groups", "name", "token", "rate", "x"]), inner, max_size=4
                )
            ),
            max_leaves=12,
        )
    )
    def test_nothing_else_is_ever_raised(
        self, tmp_path_factory: pytest.TempPathFactory, data: object
    ) -> None:
        file = tmp_path_factory.getbasetemp() / f"any-{os.getpid()}.json"
        file.write_text(json.dumps(data))
        try:
            read_accounts(file)
        except AccountsError as error:
            assert error.problems  # noqa: PT017 - either is fine
