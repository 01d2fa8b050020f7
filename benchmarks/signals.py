"""The signals that are sent, by number."""

from __future__ import annotations

from collections.abc import Callable

Make = Callable[[int], dict[str, str]]

STREAMS = 100


def order(connector: str, name: str) -> dict[str, str]:
    return {
        "connectorName": connector,
        "connectorToken": "3f0c1a52-7e0b-4f1e-9d0e-3f1f7a2b9c11",
        "action": "openLong",
        "fixed": "0.015",
        "log": "benchmark",
        "clientOrderId": name,
    }


def fan_out(number: int) -> dict[str, str]:
    """Each to an account of its own."""
    return order(f"account {number}", f"bench-{number}")


def streams(number: int) -> dict[str, str]:
    """To 100 accounts in turn."""
    return spread(number, STREAMS)


def spread(number: int, accounts: int) -> dict[str, str]:
    return order(f"account {number % accounts}", f"bench-{number}")
