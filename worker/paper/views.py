"""The paper endpoint's state for people and programs: JSON, and one small HTML page."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

HTML_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    # Connector names come from anyone who can post: escaping is the first lock, this is the second.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
}
SHOWN_CONNECTORS = 500


def to_json(value: Any) -> str:
    """JSON text in which exact decimals stay numbers with their digits, not rounded and not strings."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(k))}: {to_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(to_json, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def prefers_html(accept: str) -> bool:
    """Whether an Accept header asks for HTML at least as much as for JSON."""
    html, other = _weight(accept, "text/html"), _weight(accept, "application/json")
    return html > 0 and html >= other


def page(summary: dict[str, Any], receipts: list[dict[str, Any]]) -> str:
    """The overview as HTML; everything that came from outside is escaped."""
    connectors = sorted(summary["connectors"], key=lambda c: c["lastAt"], reverse=True)
    rules = ", ".join(rule["effect"] for rule in summary["mischief"]) or "none"
    return _template().substitute(
        receipts=summary["receipts"],
        connectors=len(connectors),
        doubled=summary["doubled"],
        doubled_class="bad" if summary["doubled"] else "good",
        mischief=escape(rules),
        connector_rows="\n".join(map(_connector_row, connectors[:SHOWN_CONNECTORS])),
        receipt_rows="\n".join(map(_receipt_row, receipts)),
    )


@cache
def _template() -> Template:
    return Template(files("worker.paper").joinpath("page.html").read_text("utf-8"))


def _connector_row(account: dict[str, Any]) -> str:
    held = [f"{what} {size}" for what, size in account["position"].items() if Decimal(size)]
    return _row(
        account["name"],
        ", ".join(held) or "flat",
        len(account["openOrders"]),
        account["scheduled"],
        account["orders"],
        account["doubled"],
        account["receipts"],
        account["lastAction"],
        _clock(account["lastAt"]),
    )


def _receipt_row(receipt: dict[str, Any]) -> str:
    return _row(
        receipt["number"],
        _clock(receipt["receivedAt"]),
        receipt["connector"],
        receipt["action"],
        receipt["clientOrderId"] or "",
        "" if receipt["status"] is None else receipt["status"],
        "placed" if receipt["placed"] else "not placed",
        receipt["mischief"] or "",
        "; ".join(receipt["notes"]) if receipt["complete"] else "received in part",
    )


def _row(*cells: object) -> str:
    return "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>"


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S.%f")[:-3] if seconds else ""


def _weight(accept: str, wanted: str) -> float:
    for part in accept.lower().split(","):
        kind, _, parameters = part.partition(";")
        if kind.strip() == wanted:
            _, _, weight = parameters.partition("q=")
            try:
                return float(weight or 1)
            except ValueError:
                return 1.0
    return 0.0
