"""SIGNALS_REDIS_URL taken apart, and what is wrong with it in one line."""

from __future__ import annotations

import pytest
from kombu.exceptions import OperationalError

from worker.errors import SettingsError
from worker.lanes.address import parse
from worker.lanes.redis import masked
from worker.rings import make_app


def test_one_server() -> None:
    found = parse("redis://ann:p%40ss%2F@host:7000/3")
    assert found.hosts == (("host", 7000),)
    assert (found.master, found.db, found.tls) == (None, 3, None)
    assert found.login == {"username": "ann", "password": "p@ss/"}
    assert parse("redis://[::1]").hosts == (("::1", 6379),)
    assert parse("redis://host?db=2&password=x").login == {"password": "x"}
    assert parse("redis://host?db=2").db == 2


def test_tls() -> None:
    assert parse("rediss://host").tls == {}
    assert parse("rediss://host/0?ssl_ca_certs=/x/ca.pem&ssl_check_hostname=false").tls == {
        "ssl_ca_certs": "/x/ca.pem",
        "ssl_check_hostname": False,
    }


@pytest.mark.parametrize("verify", ["required", "CERT_REQUIRED"])
def test_certificates_as_celery_spells_it(verify: str) -> None:
    assert parse(f"rediss://host?ssl_cert_reqs={verify}").tls == {"ssl_cert_reqs": "required"}


def test_a_broker_url_of_celery() -> None:
    assert (parse("redis://host:7000//").hosts, parse("redis://host//").db) == ((("host", 7000),), 0)
    assert parse("redis://host/3/?password=x/").login == {"password": "x/"}


def test_sentinels() -> None:
    found = parse("sentinel://ann:pw@one,two:7000,[::1]:7001/trading/4?sentinel_password=w%3Ax")
    assert found.hosts == (("one", 26379), ("two", 7000), ("::1", 7001))
    assert (found.master, found.db) == ("trading", 4)
    assert found.login == {"username": "ann", "password": "pw"}
    assert found.sentinel_login == {"password": "w:x"}
    assert "pw" not in repr(found)
    assert "w:x" not in repr(found)
    assert parse("sentinels://one/trading").tls == {}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sentinel://one,two", "the name of the primary is missing"),
        ("sentinel://one,,two/x", "a host name is missing"),
        ("sentinel://one/trading/first", "not a valid address"),
        ("sentinel://one:port/trading", "not a valid address"),
        ("sentinel://:sec/ret@one/trading", "not a valid address"),
        ("redis://one,two/0", "several hosts are for sentinel:// only"),
        ("redis://", "a host name is missing"),
        ("redis://one/first", "not a valid address"),
        ("redis://one?ssl_ca_certs=x", "ssl_ca_certs is for rediss:// (TLS)"),
        ("redis://one?sentinel_password=secret", "there is no option 'sentinel_password'"),
        ("redis://one?retry_on_timeout=true", "there is no option 'retry_on_timeout'"),
        ("memory://tests", "memory:// is for tests of code that sends"),
        ("sentinel://:secret@one:1;sentinel://:secret@two:2", "sentinel://host1:26379,host2:26379/<name of"),
        ("redis://one/0;redis://two/0", "a list for Celery"),
        ("sentinel://one:26379/0", "the name of the primary is missing"),
        ("rediss://one?ssl_cert_reqs=maybe", "ssl_cert_reqs must be required, optional or none"),
        ("cluster://one", "must start with redis://, rediss://, sentinel:// or sentinels://"),
    ],
)
def test_mistakes(url: str, words: str) -> None:
    with pytest.raises(SettingsError, match=r"^SIGNALS_REDIS_URL: ") as caught:
        parse(url)
    assert words in str(caught.value)
    assert "sec" not in str(caught.value)


def test_passwords_are_masked() -> None:
    assert (
        masked("sentinel://ann:pw@one:1,two:2/trading?sentinel_username=bob&sentinel_password=pw2")
        == "sentinel://ann:***@one:1,two:2/trading?sentinel_username=bob&sentinel_password=***"
    )
    assert masked("sentinel://one:1,two:2/trading") == "sentinel://one:1,two:2/trading"


def test_what_kombu_is_told() -> None:
    app = make_app("sentinels://:p%40ss@one,two/trading/4?sentinel_password=w", "p:")
    assert app.conf.broker_url == "sentinel://:p%40ss@one:26379/4;sentinel://:p%40ss@two:26379/4"
    options = app.conf.broker_transport_options
    assert options["master_name"] == "trading"
    assert options["sentinel_kwargs"]["password"] == "w"
    assert options["sentinel_kwargs"]["ssl"] is True
    assert app.conf.broker_use_ssl == {"ssl_cert_reqs": "required"}
    assert make_app("redis://one?db=2", "p:").conf.broker_url == "redis://one:6379/2"


def test_a_lost_broker_is_looked_for_every_other_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kombu.utils.functional.sleep", lambda _: None)
    pauses: list[float] = []
    connection = make_app("redis://127.0.0.1:1/0", "p:").connection_for_read()
    with pytest.raises(OperationalError):
        connection.ensure_connection(lambda _, pause: pauses.append(pause), 8)
    assert max(pauses) == 2
    assert len(pauses) >= 8
