"""What the gateway reads: files of keys, bodies, addresses. Errors are one line without secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from producers.cli.new_key import command as new_key_command
from producers.gateway.bodies import idempotency_key, one_signal
from producers.gateway.headers import Headers
from producers.gateway.keys import ApiKey, hash_of, new_key, read_keys
from producers.gateway.sources import TRADINGVIEW, Sources
from worker.accounts import Account, Accounts
from worker.errors import InvalidSignal, SettingsError

HASH = hash_of("a key")
ENTRY = {"name": "a", "hash": HASH, "connectors": ["alpha"]}


def keyed(key: str) -> Headers:
    return Headers({"headers": [(b"idempotency-key", key.encode("latin-1", "replace"))]})


def write(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "keys.yaml"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


class TestKeys:
    def test_each_is_found_by_what_is_presented(self, tmp_path: Path) -> None:
        key, other = new_key(), new_key()
        path = write(tmp_path, {"keys": [{**ENTRY, "hash": hash_of(key)}]})
        keys, beside = read_keys(path)
        assert beside == []
        found = keys.find(key)
        assert found is not None
        assert found.name == "a"
        assert keys.find(other) is None
        assert keys.find(found.hash) is None  # what the file holds opens nothing
        assert keys.find("") is None

    def test_keys_are_long_and_differ(self) -> None:
        made = {new_key() for _ in range(100)}
        assert len(made) == 100
        assert {len(key) for key in made} == {47}

    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            ("keys: [", "neither YAML nor JSON"),
            ("[]", "must be a mapping with nothing but a list of `keys`"),
            ({"keys": [], "more": 1}, "nothing but"),
            ({"keys": ["x"]}, "entry 1 must be a mapping"),
            ({"keys": [{**ENTRY, "hash": "sha256:abc"}]}, "`hash`"),
            ({"keys": [{**ENTRY, "hash": "a secret that stands in the wrong place"}]}, "`hash`"),
            ({"keys": [{**ENTRY, "nmae": "x"}]}, "`nmae`"),
            ({"keys": [{**ENTRY, "name": "a b"}]}, "`name`"),
            ({"keys": [{**ENTRY, "expires": "2026-01-01T00:00:00"}]}, "`expires`"),
            ({"keys": [{**ENTRY, "rate": -1}]}, "`rate`"),
            ({"keys": [ENTRY, {**ENTRY, "name": "b"}]}, "stands 2 times"),
            ({"keys": [ENTRY, {**ENTRY, "hash": hash_of("b")}]}, "the name a stands 2 times"),
            ({"keys": [{**ENTRY, "hmac_secret": "inline-secret-not-allowed"}]}, "must be ${VARIABLE}"),
            ({"keys": [{**ENTRY, "hmac_secret": "${NO_SUCH_VARIABLE}"}]}, "the environment has no"),
            ({"keys": [{**ENTRY, "hmac_secret_file": "nowhere"}]}, "No such file"),
        ],
    )
    def test_a_bad_file_is_one_line(self, tmp_path: Path, content: object, problem: str) -> None:
        with pytest.raises(SettingsError) as caught:
            read_keys(write(tmp_path, content))
        text = str(caught.value)
        assert problem in text
        assert "\n" not in text
        assert "secret that stands" not in text
        assert "inline-secret" not in text

    def test_secrets_are_read_and_not_shown(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SIGNER", "from-the-environment")
        (tmp_path / "file").write_text("from-the-secret-file\n")
        path = write(
            tmp_path,
            {
                "keys": [
                    {**ENTRY, "hmac_secret": "${SIGNER}"},
                    {"name": "b", "hash": hash_of("b"), "hmac_secret_file": "file"},
                ]
            },
        )
        keys, beside = read_keys(path)
        assert beside == [tmp_path / "file"]
        found = [keys.find(one) for one in ("a key", "b")]
        assert [one and one.hmac_secret and one.hmac_secret.get_secret_value() for one in found] == [
            "from-the-environment", "from-the-secret-file",
        ]  # fmt: skip
        assert "from-the" not in repr(found)

    def test_scope(self) -> None:
        accounts = Accounts([Account(name="alpha", groups=("desk",)), Account(name="beta")])
        by_name = ApiKey(name="a", hash=HASH, connectors=frozenset({"alpha"}))
        by_group = ApiKey(name="a", hash=HASH, groups=frozenset({"desk"}))
        everything = ApiKey(name="a", hash=HASH, connectors=frozenset({"*"}))
        nothing = ApiKey(name="a", hash=HASH)
        assert [key.covers("alpha", accounts) for key in (by_name, by_group, everything, nothing)] == [
            True, True, True, False,
        ]  # fmt: skip
        assert [key.covers("beta", accounts) for key in (by_name, by_group, everything)] == [
            False, False, True,
        ]  # fmt: skip
        assert [key.covers("alpha", None) for key in (by_name, by_group)] == [True, False]
        assert [key.covers_group("desk") for key in (by_name, by_group, everything)] == [False, True, True]


def test_a_new_key_opens_what_its_entry_says(tmp_path: Path) -> None:
    arguments = ["research", "--connector", "BTC Trend", "--group", "desk"]
    output = CliRunner().invoke(new_key_command, arguments, catch_exceptions=False).output
    key = next(line.strip() for line in output.splitlines() if line.startswith("  sgk_"))
    entry = next(line for line in output.splitlines() if line.startswith("  - "))
    keys, _ = read_keys(write(tmp_path, f"keys:\n{entry}\n"))
    found = keys.find(key)
    assert found is not None
    assert (found.name, found.connectors, found.groups) == ("research", {"BTC Trend"}, {"desk"})
    assert key not in entry


@pytest.mark.parametrize("arguments", [["name"], ["two words", "--connector", "a"], ["a", "--connector", ""]])
def test_a_key_that_could_do_nothing_is_not_made(arguments: list[str]) -> None:
    result = CliRunner().invoke(new_key_command, arguments)
    assert result.exit_code == 2
    assert "sgk_" not in result.output


class TestBodies:
    @given(
        st.binary(max_size=200),
        st.sampled_from(["", "application/json", "application/x-www-form-urlencoded"]),
    )
    def test_whatever_comes_is_a_mapping_or_one_line(self, body: bytes, content_type: str) -> None:
        try:
            found: object = one_signal(body, content_type)
        except InvalidSignal as error:
            found = str(error)
        assert found.isprintable() if isinstance(found, str) else isinstance(found, Mapping)

    def test_idempotency_keys(self) -> None:
        assert idempotency_key(Headers({"headers": []})) is None
        assert idempotency_key(keyed("k" * 250)) == "k" * 250
        for bad in ("", "k" * 251, "\xe4", "a\tb"):
            with pytest.raises(InvalidSignal):
                idempotency_key(keyed(bad))


class TestSources:
    def test_nobody_is_turned_away_without_a_list(self) -> None:
        assert Sources("").allows(None)

    def test_tradingview_and_others(self) -> None:
        sources = Sources("tradingview, 10.0.0.0/8, 2001:db8::/32")
        for host in (*TRADINGVIEW, "10.1.2.3", "2001:db8::1", "::ffff:52.89.214.238"):
            assert sources.allows((host, 1)), host
        for host in ("52.89.214.239", "11.0.0.1", "::1", "", "tradingview", "10.0.0"):
            assert not sources.allows((host, 1)), host
        assert not sources.allows(None)

    @pytest.mark.parametrize("text", ["nobody", "10.0.0.1/8", "1.2.3", "*"])
    def test_a_bad_list_is_one_line(self, text: str) -> None:
        with pytest.raises(SettingsError, match="is no address or CIDR, or tradingview"):
            Sources(text)
