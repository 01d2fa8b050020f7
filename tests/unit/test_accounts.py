"""The accounts file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from worker.accounts import read_accounts
from worker.errors import SettingsError


def test_members_of_a_group(tmp_path: Path) -> None:
    file = tmp_path / "accounts.json"
    accounts = [{"name": "a", "groups": ["x", "y"]}, {"name": "b"}, {"name": "c", "groups": ["x"]}]
    file.write_text(json.dumps({"accounts": accounts}))
    assert read_accounts(str(file)).members("x") == ["a", "c"]
    with pytest.raises(SettingsError, match="no account is in the group 'z'; there are: x, y"):
        read_accounts(str(file)).members("z")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("[]", "valid dictionary"),
        ('{"accounts": [{"nam": "a"}]}', "accounts.0.name: Field required"),
        ('{"accounts": [{"name": "a", "token": "t"}]}', "accounts.0.token: Extra inputs"),
        ('{"accounts": [{"name": ""}]}', "accounts.0.name: String should have at least 1 character"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "accounts.json"
    file.write_text(text)
    with pytest.raises(SettingsError, match=said) as told:
        read_accounts(str(file))
    assert "\n" not in str(told.value)


def test_no_file() -> None:
    with pytest.raises(SettingsError, match="SIGNALS_ACCOUNTS_FILE: /nowhere: No such file"):
        read_accounts("/nowhere")
    with pytest.raises(SettingsError, match="set SIGNALS_ACCOUNTS_FILE"):
        read_accounts(None)
