"""What would lose or double signals is refused in one line that says what to do, and so are typos."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helm.release import BUNDLED, FEATURES, REDIS, Release, merged, refusal


def _at(url: str) -> dict[str, Any]:
    return {"redis": {"url": url}}


GATEWAY: dict[str, Any] = {**REDIS, "gateway": {"enabled": True, "pathSecret": {"existingSecret": "path"}}}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "redis: name your Redis in redis.existingSecret, or run one with valkey.enabled=true"),
        (merged(REDIS, BUNDLED), "signals would be split between them"),
        (merged(REDIS, {"redis": {"url": "redis://other"}}), "signals would be split between them"),
        (merged(REDIS, {"settings": {"lease": 14.5}}), "at least settings.deadline + 5 = 15"),
        (merged(REDIS, {"settings": {"deadline": 16}}), "at least settings.deadline + 5 = 21"),
        (merged(REDIS, {"settings": {"stopTimeout": 10}}), "must exceed settings.deadline = 10"),
        (
            merged(REDIS, {"worker": {"terminationGracePeriodSeconds": 29}}),
            "worker.terminationGracePeriodSeconds: must be at least settings.stopTimeout + 5 = 30",
        ),
        (
            merged(
                BUNDLED, {"paper": {"enabled": True}, "settings": {"endpointUrl": "https://live.example/x"}}
            ),
            "workers would post to https://live.example/x",
        ),
        (merged(BUNDLED, {"valkey": {"replicas": 2}}), "a second server would be another queue"),
        (merged(BUNDLED, {"valkey": {"config": {"maxmemory-policy": "allkeys-lru"}}}), "must be noeviction"),
        (merged(BUNDLED, {"valkey": {"config": {"maxmemory-policy": None}}}), "must be noeviction"),
        (merged(BUNDLED, {"valkey": {"config": {"appendonly": "no"}}}), "a restart would lose signals"),
        (merged(BUNDLED, {"valkey": {"config": {"appendonly": False}}}), "a restart would lose signals"),
        (merged(BUNDLED, {"valkey": {"config": {"requirepass": "x"}}}), "is the chart's own"),
        (merged(BUNDLED, {"settings": {"durability": "replicas"}}), "nothing would be accepted"),
        (merged(REDIS, {"gateway": {"enabled": True}}), "anybody could send signals"),
        (merged(GATEWAY, {"gateway": {"terminationGracePeriodSeconds": 6}}), "senders send again"),
        (merged(GATEWAY, {"gateway": {"ingress": {"enabled": True}}}), "must name the host"),
        (merged(GATEWAY, {"gateway": {"httpRoute": {"enabled": True}}}), "must name a Gateway"),
        (
            merged(REDIS, {"gateway": {"ingress": {"enabled": True, "host": "a.b"}}}),
            "gateway.enabled: must be true",
        ),
        (merged(REDIS, {"accounts": {"existingSecret": "a", "data": {"accounts": []}}}), "accounts: give"),
        (merged(GATEWAY, {"gateway": {"pathSecret": {"value": "x" * 16}}}), "gateway.pathSecret: give"),
        (
            merged(
                REDIS, {"monitoring": {"podMonitor": {"enabled": True}, "serviceMonitor": {"enabled": True}}}
            ),
            "count everything twice",
        ),
        (
            merged(REDIS, {"redis": {"existingSecret": "", "url": "http://u:secret@redis"}}),
            "redis.url: must begin",
        ),
        (_at("redis://:p@ss:1@redis.example:6380/0"), "networkPolicy.redis.ports: must hold 6380"),
        (_at("sentinel://one:26379,two:26380/desk"), "networkPolicy.redis.ports: must hold 26380"),
        (merged(REDIS, {"fullnameOverride": "1st"}), "1st cannot name a Service"),
        (merged(REDIS, {"settings": {"endpointUrl": "api.example/x"}}), "must begin with https://"),
        (merged(REDIS, {"settings": {"endpointUrl": "https://api.example:8443/x"}}), "must hold 8443"),
        (merged(REDIS, {"settings": {"endpointUrl": "http://api.example/x"}}), "must hold 80,"),
        (merged(BUNDLED, {"valkey": {"config": {"maxmemory": 0}}}), "valkey.config.maxmemory: must be set"),
        (merged(BUNDLED, {"valkey": {"config": {"maxmemory": "0mb"}}}), "maxmemory: must be set"),
        (merged(BUNDLED, {"valkey": {"config": {"maxmemory": "50%"}}}), "maxmemory: must be set"),
        (merged(BUNDLED, {"valkey": {"config": {"maxmemory": "2gb"}}}), "must be below"),
        (merged(BUNDLED, {"valkey": {"config": {"maxmemory": 2147483648}}}), "must be below"),
        (merged(BUNDLED, {"valkey": {"resources": {"limits": {"memory": "900Mi"}}}}), "1gb must be below"),
        (
            merged(BUNDLED, {"valkey": {"config": {"maxmemory": None}}}),
            "valkey.config.maxmemory: must be set",
        ),
        (
            merged(
                BUNDLED, {"settings": {"durability": "fsync"}, "valkey": {"config": {"appendfsync": "no"}}}
            ),
            "fsync needs valkey.config.appendfsync",
        ),
        (
            merged(REDIS, {"worker": {"extraEnv": [{"name": "SIGNALS_STOP_TIMEOUT", "value": "300"}]}}),
            "use settings.stopTimeout",
        ),
        (
            merged(REDIS, {"worker": {"extraEnv": [{"name": "signals_stop_timeout", "value": "300"}]}}),
            "use settings.stopTimeout",
        ),
        (
            merged(GATEWAY, {"gateway": {"extraEnv": [{"name": "SIGNALS_REDIS_URL", "value": "x"}]}}),
            "gateway.extraEnv: SIGNALS_REDIS_URL is a setting",
        ),
        (
            merged(REDIS, {"worker": {"replicas": 0, "autoscaling": {"kind": "hpa"}}}),
            "worker.replicas: 0 stops no worker",
        ),
        (
            merged(GATEWAY, {"gateway": {"autoscaling": {"enabled": True, "minReplicas": 11}}}),
            "gateway.autoscaling.minReplicas: must not exceed",
        ),
        (merged(REDIS, {"worker": {"autoscaling": {"kind": "keda"}}}), "must be the address of Prometheus"),
        (merged(REDIS, {"worker": {"autoscaling": {"kind": "hpa", "minReplicas": 11}}}), "must not exceed"),
    ],
)
def test_dangerous_values(values: dict[str, Any], said: str) -> None:
    assert said in refusal(values)


def test_limits_themselves_are_taken() -> None:
    Release(merged(REDIS, {"settings": {"deadline": 10, "lease": 15, "stopTimeout": 10.5}}))
    Release(merged(REDIS, {"worker": {"terminationGracePeriodSeconds": 30}}))
    Release(_at("rediss://u:p%@[::1]:6379/0?ssl_ca_certs=/x:1/y"))
    Release(merged(_at("redis://redis.example:6380"), {"networkPolicy": {"redis": {"ports": [6380]}}}))
    Release(merged(_at("redis://redis.example:6380"), {"networkPolicy": {"enabled": False}}))
    Release(merged(BUNDLED, {"valkey": {"config": {"maxmemory": "2047mb"}}}))
    without = {"config": {"maxmemory": "8gb"}, "resources": {"limits": {"memory": None}}}
    Release(merged(BUNDLED, {"valkey": without}))


@pytest.mark.parametrize(
    ("values", "at"),
    [
        ({"setings": {}}, "setings"),
        ({"settings": {"deadlines": 3}}, "deadlines"),
        ({"settings": {"lane_limit": 3}}, "lane_limit"),
        ({"settings": {"redisUrl": "redis://x"}}, "redisUrl"),
        ({"settings": {"deadline": "10s"}}, "/settings/deadline"),
        ({"settings": {"deadline": 0}}, "/settings/deadline"),
        ({"settings": {"threads": 1.5}}, "/settings/threads"),
        ({"settings": {"durability": "disk"}}, "/settings/durability"),
        ({"settings": {"closeDropsOpen": "no"}}, "/settings/closeDropsOpen"),
        ({"settings": {"unsentStatuses": "429;503"}}, "/settings/unsentStatuses"),
        ({"worker": {"replica": 3}}, "replica"),
        ({"worker": {"replicas": "3"}}, "/worker/replicas"),
        ({"worker": {"autoscaling": {"kind": "vpa"}}}, "/worker/autoscaling/kind"),
        ({"image": {"digest": "latest"}}, "/image/digest"),
        ({"gateway": {"pathSecret": {"value": "short"}}}, "/gateway/pathSecret/value"),
        ({"valkey": {"persistence": {"enable": True}}}, "enable"),
        ({"valkey": {"config": {"Maxmemory-Policy": "allkeys-lru"}}}, "Maxmemory-Policy"),
        ({"valkey": {"config": {"save": '""\nmaxmemory-policy allkeys-lru'}}}, "/valkey/config/save"),
        ({"accounts": {"existingSecret": "accounts", "key": "../accounts.yaml"}}, "/accounts/key"),
        ({"networkPolicy": {"endpoint": {"port": [443]}}}, "port"),
        ({"networkPolicy": {"metricsFrom": ["monitoring"]}}, "/networkPolicy/metricsFrom/0"),
        ({"worker": {"extraEnv": ["A=b"]}}, "/worker/extraEnv/0"),
        ({"worker": {"extraVolumes": [{"emptyDir": {}}]}}, "/worker/extraVolumes/0"),
        ({"worker": {"resources": {"request": {"cpu": 1}}}}, "request"),
        ({"worker": {"podAnnotations": {"restarted": 1}}}, "/worker/podAnnotations/restarted"),
        ({"worker": {"podLabels": {"app.kubernetes.io/component": "x"}}}, "app.kubernetes.io/component"),
        ({"worker": {"podDisruptionBudget": {"maxUnavailable": "half"}}}, "maxUnavailable"),
        ({"worker": {"autoscaling": {"keda": {"serverAddress": "prometheus:9090"}}}}, "serverAddress"),
        ({"worker": None}, "worker"),
        ({"settings": None}, "settings"),
        ({"imagePullSecrets": ["registry"]}, "/imagePullSecrets/0"),
        ({"fullnameOverride": "Desk_A"}, "/fullnameOverride"),
        ({"extraObjects": ["kind: ConfigMap"]}, "/extraObjects/0"),
    ],
)
def test_typos_and_wrong_types(values: dict[str, Any], at: str) -> None:
    said = refusal(merged(REDIS, values))
    assert "schema" in said
    assert at in said


def test_no_secret_in_a_refusal() -> None:
    values = merged(FEATURES["accounts-inline"], {"redis": {"existingSecret": "other"}})
    assert "00000000-0000-4000" not in refusal(values)
    assert "hunter2" not in refusal({"redis": {"url": "http://user:hunter2@redis"}})
