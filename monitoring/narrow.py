"""Adds matchers to every metric of an expression."""

from __future__ import annotations

import re

_METRIC = re.compile(r"\b((?:signals[_:]|process_|python_)[a-z0-9_:]+|ALERTS)\b(?!\()(\{)?")


def narrow(expr: str, matchers: str) -> str:
    """``a_metric{x="y"}`` becomes ``a_metric{ <matchers>, x="y"}``.

    The space is there because ``{{{`` would begin no action of a Helm template.
    """

    def narrowed(found: re.Match[str]) -> str:
        name, brace = found.groups()
        return f"{name}{{ {matchers}{', ' if brace else ' }'}"

    return _METRIC.sub(narrowed, expr)
