from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import BusyLoadingError, NoPermissionError, RedisError, ResponseError

from worker import doctor
from worker.errors import QueueUnusable
from worker.lanes import Durability
from worker.settings import LIVE_ENDPOINT, Settings

GOOD = {
    "redis_version": "7.2.4",
    "maxmemory_policy": "noeviction",
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "role": "master",
    "cluster_enabled": 0,
    "maxmemory": 0,
    "used_memory": 5,
}


class Info:
    """A client that knows nothing but this INFO."""

    def __init__(self, **fields: Any) -> None:
        self._info = {**GOOD, **fields}

    def info(self) -> dict[str, Any]:
        return self._info

    def eval(self, script: str, keys: int) -> int:
        return 1

    def get(self, name: str) -> bytes | None:
        return None

    def pipeline(self, transaction: bool) -> Any:
        return self

    def execute(self, raise_on_error: bool) -> list[Any]:
        return []


def levels(**fields: Any) -> dict[str, str]:
    return {one.subject: one.level for one in doctor._examine_info({**GOOD, **fields}) if one.level != "ok"}


def test_a_good_server() -> None:
    assert levels() == {}
    doctor.require_safe_server(Info(), Settings())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"redis_version": "6.0.16"}, {"version": "bad"}),
        ({"redis_version": "unstable"}, {"version": "bad"}),
        ({"redis_version": "3.0", "valkey_version": "9.1.2"}, {}),
        ({"redis_version": "7.4-rc1"}, {}),
        ({"maxmemory_policy": "allkeys-lru"}, {"eviction": "bad"}),
        ({"role": "slave"}, {"role": "bad"}),
        ({"cluster_enabled": 1}, {"cluster": "bad"}),
        ({"aof_enabled": 0}, {"durability": "warn"}),
        ({"aof_last_write_status": "err"}, {"durability": "bad"}),
        ({"maxmemory": 100, "used_memory": 81}, {"memory": "warn"}),
        ({"maxmemory": 100, "used_memory": 79}, {}),
    ],
)
def test_servers_that_are_not(fields: dict[str, Any], found: dict[str, str]) -> None:
    assert levels(**fields) == found
    if "bad" in found.values():
        with pytest.raises(QueueUnusable):
            doctor.require_safe_server(Info(**fields), Settings())  # type: ignore[arg-type]


class Pipeline:
    def __init__(self, *answers: object) -> None:
        self._answers = answers

    def execute_command(self, *_: object) -> None:
        pass

    def execute(self, raise_on_error: bool) -> list[object]:
        return list(self._answers)


@pytest.mark.parametrize(
    ("kind", "answer", "level"),
    [
        ("fsync", [1, 0], "ok"),
        ("fsync", [0, 1], "warn"),
        ("fsync", ResponseError("unknown command 'WAITAOF'"), "bad"),
        ("replicas", 2, "ok"),
        ("replicas", 1, "warn"),
        ("replicas", ResponseError("WAIT cannot be used with replica instances"), "bad"),
    ],
)
def test_promises(kind: Any, answer: object, level: str) -> None:
    found = doctor._examine_promise(Pipeline(b"OK", answer), Durability(kind, replicas=2))
    assert found.level == level


@pytest.mark.parametrize("error", [BusyLoadingError("loading"), NoPermissionError("no")], ids=str)
def test_what_is_no_answer_about_a_promise(error: RedisError) -> None:
    with pytest.raises(type(error)):
        doctor._examine_promise(Pipeline(b"OK", error), Durability("fsync"))
    with pytest.raises(type(error)):
        doctor._examine_promise(Pipeline(error), Durability())


@pytest.mark.parametrize(
    ("redis_time", "asked", "answered", "level"),
    [
        (100.0, 100.0, 100.0, "ok"),
        (103.0, 100.0, 100.0, "warn"),
        (97.0, 100.0, 100.0, "warn"),
        (103.0, 100.0, 104.0, "ok"),
    ],
)
def test_clock_skew_counts_only_beyond_the_way_of_the_answer(
    redis_time: float, asked: float, answered: float, level: str
) -> None:
    assert doctor._examine_clock(redis_time, asked, answered).level == level


def endpoint(
    url: str, monkeypatch: pytest.MonkeyPatch, error: Exception | None = None
) -> list[doctor.Finding]:
    def reach(*_: Any, **__: Any) -> None:
        if error is not None:
            raise error

    monkeypatch.setattr(doctor, "_reach", reach)
    return list(doctor._examine_endpoint(Settings(endpoint_url=url)))


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://x.example/hook", ["ok"]),
        ("http://127.0.0.1:8787/hook", ["ok"]),
        ("http://localhost/hook", ["ok"]),
        ("http://[::1]/hook", ["ok"]),
        ("http://x.example/hook", ["ok", "warn"]),
        (LIVE_ENDPOINT, ["ok", "warn"]),
        ("ftp://x", ["bad"]),
        ("nonsense", ["bad"]),
        ("http://x:99999/", ["bad"]),
        ("http://[::1/", ["bad"]),
    ],
)
def test_endpoints(url: str, found: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert [finding.level for finding in endpoint(url, monkeypatch)] == found


@pytest.mark.parametrize("error", [OSError("x"), UnicodeError("label too long")])
def test_an_endpoint_out_of_reach(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    (finding,) = endpoint("https://user:hunter2@x.example/hook?key=hunter2", monkeypatch, error)
    assert finding.level == "bad"
    assert finding.text.startswith("https://x.example:443/hook: ")
    assert "hunter2" not in finding.text


@pytest.mark.parametrize("url", ["redis://a..b/0", "nonsense", "redis://127.0.0.1:1/0", "redis://h:99999/0"])
def test_examining_never_raises(url: str) -> None:
    findings = list(doctor.examine(Settings(redis_url=url, endpoint_url="http://127.0.0.1:1/")))
    assert [finding.level for finding in findings] == ["ok", "bad", "bad"]
    assert "\n" not in findings[1].text


def test_an_accounts_file_is_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "accounts.json"
    file.write_text('{"accounts": [{"name": "a", "groups": ["x"]}, {"name": "b", "groups": ["x"]}]}')
    findings = list(doctor.examine_accounts(str(file)))
    assert [(finding.level, finding.text) for finding in findings] == [
        ("ok", "2 connectors in 1 groups"),
        ("ok", "2 of them without a token: their signals must bring it"),
    ]
    file.write_text('{"accounts": [{"name": ""}, {"nam": "b"}]}')
    findings = list(doctor.examine_accounts(str(file)))
    assert [finding.level for finding in findings] == ["bad"] * 3, "each problem"
    assert "did you mean `name`" in " ".join(finding.text for finding in findings)
    assert all(finding.text.startswith(f"{file}: ") for finding in findings)


def test_an_accounts_file_that_is_not_there_is_named() -> None:
    (finding,) = doctor.examine_accounts("nope.yaml")
    assert (finding.level, finding.text) == ("bad", "nope.yaml: No such file or directory")
