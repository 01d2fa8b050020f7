"""What the paper endpoint understands of a message: the page's JSON rules, read on their own.

Nothing here is shared with the code that produces the messages. A judge that used the same
reading would share its mistakes and find none.

Two grades of complaint: a *problem* is answered with 400, a *note* only stands in the receipt,
because the real endpoint is not known to refuse it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from worker.paper.exact import number, parse_body, plain_decimal
from worker.paper.secret import hide, secret_of

SPOT_ACTIONS = frozenset({"buy", "sell"})
FUTURES_ACTIONS = frozenset({"openLong", "closeLong", "openShort", "closeShort"})
# "cancel_all" is what some receiving templates test for; the page's "cancellAll" is what none of them do.
CANCEL_ALL_ACTIONS = frozenset({"cancelAll", "cancel_all"})
SYNC = "sync"
UNKNOWN_ACTION = "unknown action treated as order"

_KNOWN_ACTIONS = SPOT_ACTIONS | FUTURES_ACTIONS | CANCEL_ALL_ACTIONS | {"cancel"}
_COMMON_FIELDS = {"connectorName", "connectorToken", "log", "delaySeconds", "delaySecondsFilter"}
_ORDER_FIELDS = _COMMON_FIELDS | {
    "action",
    "fixed",
    "percent",
    "notional",
    "limit",
    "profit",
    "loss",
    "clientOrderId",
}
_SYNC_FIELDS = _COMMON_FIELDS | {"entryOrder", "position", "maxWaitPositionReversalSeconds"}


class _ProblemError(ValueError):
    """The message is answered with 400; the text is one line and quotes no token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One well-formed message. Amounts are in units of the base asset, ``delay`` is in seconds."""

    connector: str
    action: str
    client_order_id: str | None = None
    fixed: Decimal | None = None
    percent: Decimal | None = None
    limit: Decimal | None = None
    profit: Decimal | None = None
    loss: Decimal | None = None
    side: str | None = None
    size: Decimal = Decimal(0)
    delay: float = 0.0

    @property
    def is_sync(self) -> bool:
        """Whether it sets the position instead of placing or cancelling an order."""
        return self.side is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A message as far as it could be read; exactly one of ``instruction`` and ``problem`` is set."""

    connector: str = ""
    action: str = ""
    client_order_id: str | None = None
    token: str = ""
    notes: tuple[str, ...] = ()
    instruction: Instruction | None = None
    problem: str | None = None


def read(raw: bytes) -> Reading:
    """Read one message. Never raises: what is wrong with it is said in ``problem``."""
    try:
        body = parse_body(raw)
    except ValueError as error:
        return Reading(problem=str(error))
    token, secret = _text(body, "connectorToken"), secret_of(body)
    # A token that strayed into another field ends here: what is kept and shown comes from this reading.
    body = {hide(k, secret): hide(v, secret) if isinstance(v, str) else v for k, v in body.items()}
    connector = _text(body, "connectorName")
    sync = "position" in body and "action" not in body
    action = SYNC if sync else _text(body, "action")
    client_order_id = _text(body, "clientOrderId") or None
    instruction, problem = None, None
    try:
        _require(connectorName=connector, connectorToken=token)
        instruction = _sync(body, connector) if sync else _order(body, connector, action)
    except _ProblemError as error:
        problem = str(error)
    return Reading(
        connector=connector,
        action=action,
        client_order_id=client_order_id,
        token=token,
        notes=tuple(_notes(body, None if sync else action)),
        instruction=instruction,
        problem=problem,
    )


def _require(**texts: str) -> None:
    for name, text in texts.items():
        if not text.strip():
            raise _ProblemError(f"{name} is mandatory")


def _order(body: Mapping[str, Any], connector: str, action: str) -> Instruction:
    if not action.strip() or "position" in body or "entryOrder" in body:
        raise _ProblemError("either action or both position and entryOrder are mandatory")
    client_order_id = body.get("clientOrderId")
    if client_order_id is not None and not (isinstance(client_order_id, str) and client_order_id.strip()):
        raise _ProblemError("clientOrderId must be a string that is not blank")
    if action == "cancel" and client_order_id is None:
        raise _ProblemError("clientOrderId is mandatory for cancel")
    return Instruction(
        connector=connector,
        action=action,
        client_order_id=client_order_id,
        fixed=_amount(body, "fixed"),
        percent=_amount(body, "percent"),
        limit=_amount(body, "limit"),
        profit=_amount(body, "profit"),
        loss=_amount(body, "loss"),
        delay=_delay(body),
    )


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def _amount(body: Mapping[str, Any], name: str) -> Decimal | None:
    value = body.get(name)
    if value is None:
        return None
    amount = plain_decimal(value)
    if amount is None or amount == 0:
        raise _ProblemError(f"{name} must be a plain decimal above 0")
    return amount


def _sync(body: Mapping[str, Any], connector: str) -> Instruction:
    position, entry = body.get("position"), body.get("entryOrder")
    if not isinstance(position, dict) or not isinstance(entry, dict):
        raise _ProblemError("position and entryOrder are mandatory together and must be objects")
    if not _text(entry, "mode") or number(entry.get("value")) is None:
        raise _ProblemError("entryOrder needs a mode and a value that is a JSON number")
    side, size = position.get("side"), number(position.get("size"))
    if side not in {"long", "short", "flat"}:
        raise _ProblemError("position.side must be long, short or flat")
    if size is None:
        raise _ProblemError("position.size must be a JSON number of 0 or more")
    return Instruction(connector=connector, action=SYNC, side=side, size=size, delay=_delay(body))


def _delay(body: Mapping[str, Any]) -> float:
    value = body.get("delaySeconds")
    if value is None:
        return 0.0
    seconds = plain_decimal(value)
    if seconds is None:
        raise _ProblemError("delaySeconds must be a number of 0 or more")
    word = body.get("delaySecondsFilter")
    if isinstance(word, str) and word not in _text(body, "log"):
        return 0.0
    return float(seconds)


def _notes(body: Mapping[str, Any], action: str | None) -> list[str]:
    notes = []
    known = _SYNC_FIELDS if action is None else _ORDER_FIELDS
    if action and action not in _KNOWN_ACTIONS:
        notes.append(UNKNOWN_ACTION)
    notes += [f"unknown field {name[:64]!r}" for name in body if name not in known]
    for name in ("fixed", "percent", "limit", "profit", "loss"):
        if name in body and not isinstance(body[name], str):
            notes.append(f"{name} is not a string")
    if action in SPOT_ACTIONS and ("profit" in body or "loss" in body):
        notes.append("profit and loss are for futures only")
    return notes
