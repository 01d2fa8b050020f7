"""Expressions that several panels are made of."""

from __future__ import annotations


def or_none(expr: str, label: str) -> str:
    """``expr``; if that finds nothing, a 0 whose ``label`` is ``none``.

    No trouble is an answer, too. But only while a worker can be scraped: else nobody knows.
    """
    return (
        f'{expr} or label_replace(sum(signals_threads) * 0 unless on () ({expr}), "{label}", "none", "", "")'
    )


def increase(series: str, window: str, seconds: str) -> str:
    """How much a counter grew, what it began with included.

    A series of a connector begins with its first event, which neither increase nor rate see: often the only
    failure. What it has is new if its worker was there before it, or began after that as well; else it is
    only Prometheus that has not looked. ``seconds``: the window once more, as a number.
    """
    return _larger(_born(series, window, seconds), f"increase({series}[{window}])")


def rate(series: str) -> str:
    """The same per second, over the interval that Grafana thinks right."""
    seconds = "($__rate_interval_ms / 1000)"
    born = _born(series, "$__rate_interval", seconds)
    return _larger(f"{born} / {seconds}", f"rate({series}[$__rate_interval])")


def _larger(one: str, other: str) -> str:
    """Of a series that was born and began anew within the window, each alone knows a part only."""
    return f"({one} >= {other} or {other} or {one})"


def _born(series: str, window: str, seconds: str) -> str:
    there = f"signals_threads offset {window} or process_start_time_seconds > time() - {seconds}"
    return f"({series} unless {series} offset {window} and on (namespace, release, instance) ({there}))"
