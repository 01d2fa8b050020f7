"""Settings: every bad value is one line that names the variable."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from worker.errors import SettingsError
from worker.lanes.redis import connect, masked
from worker.settings import FILE_VARIABLE, load_settings


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SIGNALS_"):
            monkeypatch.delenv(name)


def refused(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_defaults_fit_together() -> None:
    settings = load_settings()
    assert settings.endpoint_url == "https://api.crypto-arsenal.io/trading-signal/webhook"
    assert settings.timing().lease_ms == 20_000
    assert settings.reading().unsent_statuses == {425, 429, 503}
    assert settings.policy().entry_expiry == 60


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALS_THREADS", "7")
    monkeypatch.setenv("SIGNALS_UNSENT_STATUSES", "")
    settings = load_settings()
    assert settings.threads == 7
    assert settings.unsent_statuses == "425,429,503", "an empty variable counts as not set"


def test_a_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "settings.env"
    file.write_text("SIGNALS_THREADS=5\nSIGNALS_DEADLINE=3\n")
    monkeypatch.setenv(FILE_VARIABLE, str(file))
    monkeypatch.setenv("SIGNALS_DEADLINE", "4")
    settings = load_settings()
    assert (settings.threads, settings.deadline) == (5, 4)


def test_a_missing_file_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(monkeypatch, **{FILE_VARIABLE: "/nowhere/x.env"}).startswith(FILE_VARIABLE)


def test_a_misspelt_line_in_the_file_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "settings.env"
    file.write_text("# ours\nSIGNALS_THREDS=5\n")
    assert (
        refused(monkeypatch, **{FILE_VARIABLE: str(file)})
        == f"{file}, line 2: SIGNALS_THREDS: no such setting; did you mean SIGNALS_THREADS?"
    )


def test_a_bad_value_is_looked_for_where_it_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "settings.env"
    file.write_text("SIGNALS_DEADLINE=3\nexport signals_threads = 0\n")
    in_file = refused(monkeypatch, **{FILE_VARIABLE: str(file)})
    assert in_file.startswith(f"{file}, line 2: SIGNALS_THREADS: ")
    assert refused(monkeypatch, SIGNALS_THREADS="-1").startswith("SIGNALS_THREADS: "), "the environment wins"
    monkeypatch.setenv("SIGNALS_THREADS", "")
    assert refused(monkeypatch) == in_file, "an empty variable counts as not set"
    with pytest.raises(SettingsError, match=r"^SIGNALS_THREADS: "):
        load_settings(threads=0)


def test_a_misspelt_variable_is_refused_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        refused(monkeypatch, SIGNALS_THREDS="7")
        == "SIGNALS_THREDS: no such setting; did you mean SIGNALS_THREADS?"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SIGNALS_THREADS", "0"),
        ("SIGNALS_THREADS", "many"),
        ("SIGNALS_DEADLINE", "nan"),
        ("SIGNALS_DEADLINE", "-1"),
        ("SIGNALS_UNSENT_STATUSES", "4xx"),
        ("SIGNALS_LOG_LEVEL", "loud"),
        ("SIGNALS_PREFIX", "with space"),
        ("SIGNALS_METRICS_PORT", "70000"),
        ("SIGNALS_GATEWAY_DEDUP_WINDOW", "29"),  # TradingView may send a fourth time after 24 s
    ],
)
def test_a_bad_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert refused(monkeypatch, **{name: value}).startswith(f"{name}: ")


def test_a_lease_must_outlast_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(monkeypatch, SIGNALS_DEADLINE="16").startswith("SIGNALS_LEASE: ")


def test_a_shutdown_must_outlast_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    text = refused(monkeypatch, SIGNALS_STOP_TIMEOUT="10")
    assert text.startswith("SIGNALS_STOP_TIMEOUT: ")


def test_waiting_for_durability_must_fit_into_the_wait_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALS_DURABILITY_TIMEOUT", "2")
    assert load_settings().required_durability().command is None
    text = refused(monkeypatch, SIGNALS_DURABILITY="fsync")
    assert text.startswith("SIGNALS_DURABILITY_TIMEOUT: ")
    monkeypatch.setenv("SIGNALS_REDIS_TIMEOUT", "3")
    assert load_settings().required_durability().command == ("WAITAOF", 1, 0, 2000)
    monkeypatch.setenv("SIGNALS_DURABILITY", "replicas")
    monkeypatch.setenv("SIGNALS_DURABILITY_REPLICAS", "2")
    assert load_settings().required_durability().command == ("WAIT", 2, 2000)


def test_a_password_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert masked("redis://user:secret@host:1/0") == "redis://user:***@host:1/0"
    assert masked("redis://:sec@ret/x@host/0") == "redis://:***@host/0"
    assert masked("redis://host/0?password=secret&db=1") == "redis://host/0?password=***&db=1"
    assert masked("redis://host:6379/0") == "redis://host:6379/0"


@pytest.mark.parametrize(
    "url",
    ["http://user:secret@host", "unix:///run/redis", "redis://:sec/ret@host", "redis://host:port", "", "x"],
)
def test_an_address_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^SIGNALS_REDIS_URL: [^\n]*$") as caught:
        connect(url)
    assert "sec" not in str(caught.value)


@pytest.mark.parametrize("line", ["REDIS_URL=redis://h/0", "no equals sign", "SIGNAL_PREFIX=x:"])
def test_a_line_of_the_file_that_sets_nothing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    file = tmp_path / "settings"
    file.write_text(f"# ours\n\nexport SIGNALS_THREADS=3\n{line}\n")
    monkeypatch.setenv("SIGNALS_SETTINGS_FILE", str(file))
    with pytest.raises(SettingsError, match=r"settings, line 4: must read SIGNALS_…=value"):
        load_settings()


def test_a_rate_that_nobody_means_is_an_error() -> None:
    with pytest.raises(SettingsError, match=r"SIGNALS_RATE: must be 0 \(no limit\) or at least 0\.001"):
        load_settings(rate=1e-9)


@pytest.mark.parametrize("wanted", ["", "top", "top:0", "top:-1", "top:100000", "ALL", "50"])
def test_how_many_connectors_have_metrics_is_a_bounded_choice(wanted: str) -> None:
    with pytest.raises(SettingsError, match=r"SIGNALS_METRICS_CONNECTORS: "):
        load_settings(metrics_connectors=wanted)
    assert load_settings(metrics_connectors="top:99999").metrics_connectors == "top:99999"
