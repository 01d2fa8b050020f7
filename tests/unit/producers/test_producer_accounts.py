"""What the accounts file changes for a sender: tokens, rules of a connector, groups."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from producers.admission import Draft, Prepared, Terms, prepare
from producers.inputs import drafts_of
from worker.accounts import Account, Accounts, Group
from worker.contract import Rules
from worker.errors import InvalidSignal
from worker.policy import Policy
from worker.records import Admission

ACCOUNTS = Accounts(
    [
        Account.model_validate(fields)
        for fields in (
            {"name": "futures", "token": "t-futures", "market": "futures", "groups": ["desk"]},
            {"name": "spot", "token": "t-spot", "market": "spot", "groups": ["desk"]},
            {"name": "off", "token": "t-off", "enabled": False, "groups": ["desk", "idle"]},
            {"name": "careful", "token": "t", "max_percent": 20, "require_size": True},
            {"name": "quick", "token": "t", "dedup_window": 5, "entry_expiry": 2},
            {"name": "brings-its-own"},
        )
    ],
    [Group.model_validate({"name": "desk", "token": "t-desk"})],
)


def order(name: str, **fields: Any) -> dict[str, Any]:
    return {"connectorName": name, "action": "openLong", "percent": "10", **fields}


def terms(**changes: Any) -> Terms:
    basis: dict[str, Any] = {
        "rules": Rules(),
        "policy": Policy(entry_expiry=60),
        "window": 3600.0,
        "needs_token": True,
        "accounts": lambda: ACCOUNTS,
    }
    return Terms(**{**basis, **changes})


def taken(source: object, **changes: Any) -> Admission:
    prepared = prepare(Draft(source), terms(**changes))
    assert isinstance(prepared, Prepared), prepared
    return prepared.admission


def refused(source: object, **changes: Any) -> str:
    answer = prepare(Draft(source), terms(**changes))
    assert isinstance(answer, InvalidSignal)
    return str(answer)


class TestTokens:
    @pytest.mark.parametrize("given", [{}, {"connectorToken": "t-futures"}])
    def test_what_the_file_has_is_not_stored(self, given: dict[str, str]) -> None:
        assert "oken" not in taken(order("futures", **given)).body

    def test_another_token_is_refused_and_not_shown(self) -> None:
        said = refused(order("futures", connectorToken="t-spot"))
        assert said == "`connectorToken` is not that of the accounts file"

    @pytest.mark.parametrize("name", ["brings-its-own", "not-in-the-file"])
    def test_who_is_without_one_in_the_file_must_bring_it(self, name: str) -> None:
        assert "the accounts file has none for this connector" in refused(order(name))
        assert json.loads(taken(order(name, connectorToken="own")).body)["connectorToken"] == "own"

    def test_what_is_brought_is_sealed(self) -> None:
        body = json.loads(taken(order("x", connectorToken="own"), seal=lambda token: f"<{token}>").body)
        assert body["connectorToken"] == "<own>"

    def test_nobody_can_bring_what_looks_sealed(self) -> None:
        assert "must not begin with sealed:" in refused(order("x", connectorToken="sealed:abc"))


class TestRules:
    def test_of_the_market(self) -> None:
        said = refused(order("spot"))
        assert said == "`action` openLong is for futures, but this is a spot account: use buy, sell"
        assert "for spot" in refused(order("futures", action="buy"))
        assert taken(order("spot", action="buy")).action == "buy"
        for action in ("cancelAll", "cancel"):
            assert taken(order("spot", action=action, clientOrderId="x1", percent=None)).action == action

    def test_who_is_not_enabled_is_refused(self) -> None:
        assert "not enabled" in refused(order("off"))

    def test_sizes_are_held_against_the_connectors_own_rules(self) -> None:
        assert "at most 20" in refused(order("careful", percent="21"))
        assert "size" in refused(order("careful", percent=None))
        assert taken(order("careful", percent="20")).action == "openLong"

    def test_which_may_be_wider_than_the_settings(self) -> None:
        strict = Rules(max_percent=Decimal(5), require_size=True)
        assert taken(order("careful", percent="20"), rules=strict).action == "openLong"
        assert "at most 5" in refused(order("futures", percent="20"), rules=strict)

    def test_windows_and_expiry(self) -> None:
        own = taken(order("quick"))
        assert (own.window_ms, own.max_age_ms) == (5_000, 2_000)
        fixed = taken(order("quick"), window=7.0, window_fixed=True, max_age=9.0)
        assert (fixed.window_ms, fixed.max_age_ms) == (7_000, 9_000)


def members(given: object, keys: Any = None, accounts: Accounts | None = ACCOUNTS) -> list[Draft]:
    drafts = drafts_of(given, keys, accounts)
    assert not isinstance(drafts, Draft)
    return list(drafts)


class TestGroups:
    SIGNAL = {"group": "desk", "action": "cancelAll", "clientOrderId": "x1"}  # noqa: RUF012

    @pytest.mark.parametrize("given", [[SIGNAL], json.dumps(SIGNAL), json.dumps([SIGNAL]).encode()])
    def test_each_member_gets_the_signal_and_an_id_of_its_own(self, given: object) -> None:
        drafts = members(given)
        prepared = [prepare(draft, terms()) for draft in drafts]
        connectors = [item.admission.connector for item in prepared if isinstance(item, Prepared)]
        assert connectors == ["futures", "spot"]
        assert "not enabled" in str(prepared[2])
        assert len({draft.id for draft in drafts}) == 3

    def test_the_idempotency_key_is_the_same_for_all(self) -> None:
        assert [draft.key for draft in members([self.SIGNAL, order("spot")], ["k", None])] == [
            "k", "k", "k", None,
        ]  # fmt: skip

    def test_the_token_of_the_group_is_for_the_group_alone(self) -> None:
        (one, *_) = members([{**self.SIGNAL, "connectorToken": "t-desk"}])
        assert one.source == {"connectorName": "futures", "action": "cancelAll", "clientOrderId": "x1"}

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"connectorToken": "t-futures"}, "is not that of the group"),
            ({"group": "idle", "connectorToken": "t-desk"}, "this group has no token"),
            ({"connectorName": "spot"}, "exclude each other"),
            ({"group": "disk"}, "`group` 'disk' has no members"),
            ({"group": 5}, "`group` 5 has no members"),
            ({"group": ["desk"]}, "`group` a list has no members"),
            ({"group": "", "connectorToken": "t-desk"}, "has no members"),
        ],
    )
    def test_what_is_wrong_gives_one_receipt(self, fields: dict[str, Any], said: str) -> None:
        drafts = members([{**self.SIGNAL, **fields}, order("spot")])
        assert len(drafts) == 2
        assert said in str(drafts[0].source)
        assert "t-desk" not in str(drafts[0].source)

    def test_without_a_file_there_are_no_groups(self) -> None:
        (draft,) = members([self.SIGNAL], accounts=None)
        assert "set SIGNALS_ACCOUNTS_FILE" in str(draft.source)

    def test_a_group_is_given_in_a_list(self) -> None:
        draft = drafts_of(self.SIGNAL, None, ACCOUNTS)
        assert isinstance(draft, Draft)
        assert "put the signal into a list" in str(draft.source)
