"""Programs as Debian ships them, for tests that want the real thing."""

from __future__ import annotations

import os
import shutil

import pytest

_REDIS = ("redis-server redis-sentinel", "TEST_WITHOUT_REDIS_SERVER")
_PROMETHEUS = ("prometheus prometheus-alertmanager", "TEST_WITHOUT_PROMETHEUS")
_ORIGINS = {
    "redis-server": _REDIS,
    "redis-sentinel": _REDIS,
    "redis-cli": _REDIS,
    "prometheus": _PROMETHEUS,
    "promtool": _PROMETHEUS,
    "prometheus-alertmanager": _PROMETHEUS,
    "amtool": _PROMETHEUS,
}
"""The packages of each, and the variable that allows tests to go without."""


def program(name: str) -> str:
    """Where the program is. Without it the test fails, or is skipped if a variable says so."""
    if found := shutil.which(name):
        return found
    packages, variable = _ORIGINS[name]
    missing = f"{name} is not installed: apt-get install {packages}"
    if os.environ.get(variable):
        pytest.skip(missing)
    pytest.fail(f"{missing}, or set {variable}=1")
