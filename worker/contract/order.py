"""The order signal: one action on one account."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from worker.contract.decimals import Amount
from worker.contract.shape import Addressed
from worker.contract.texts import ClientOrderId


class Action(StrEnum):
    """What to do: `buy`/`sell` on spot, the four open/close actions on futures, the cancels on both."""

    BUY = "buy"
    SELL = "sell"
    OPEN_LONG = "openLong"
    CLOSE_LONG = "closeLong"
    OPEN_SHORT = "openShort"
    CLOSE_SHORT = "closeShort"
    CANCEL = "cancel"
    CANCEL_ALL = "cancelAll"


ALIASES: Final = {"cancellAll": Action.CANCEL_ALL, "cancel_all": Action.CANCEL_ALL}
"""Other spellings of an action. The receiving templates would place an *order* for the first one."""

SPOT_ACTIONS: Final = frozenset({Action.BUY, Action.SELL})
FUTURES_ACTIONS: Final = frozenset(
    {Action.OPEN_LONG, Action.CLOSE_LONG, Action.OPEN_SHORT, Action.CLOSE_SHORT}
)
ENTRY_ACTIONS: Final = frozenset({Action.BUY, Action.OPEN_LONG, Action.OPEN_SHORT})
"""Actions that spend balance, and spend all of it when the signal names no size."""

_ACTIONS: Final = {**{action.value: action for action in Action}, **ALIASES}


def read_action(value: object) -> Action:
    """Validate an action or one of its other spellings; raises `PydanticCustomError`."""
    known = _ACTIONS.get(value) if isinstance(value, str) else None
    if known is None:
        raise PydanticCustomError("action", "must be one of " + ", ".join(Action))
    return known


class OrderSignal(Addressed):
    """An order or a cancel. Decimals keep their digits; `fixed` wins over `percent` when both are present."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                {
                    "if": {"properties": {"action": {"const": "cancel"}}},
                    "then": {"required": ["clientOrderId"]},
                },
                {
                    "if": {"properties": {"action": {"enum": ["buy", "sell"]}}},
                    "then": {"properties": {"profit": {"type": "null"}, "loss": {"type": "null"}}},
                },
            ]
        }
    )

    action: Annotated[
        Action, PlainValidator(read_action), WithJsonSchema({"type": "string", "enum": list(_ACTIONS)})
    ] = Field(description="What to do; cancellAll and cancel_all are read as cancelAll.")
    fixed: Amount | None = Field(default=None, description="Amount of the order; wins over percent.")
    percent: Amount | None = Field(default=None, description="Share of the available asset, in percent.")
    notional: Amount | None = Field(default=None, description="Value of the order in the quote currency.")
    limit: Amount | None = Field(default=None, description="Limit price; absent means a market order.")
    profit: Amount | None = Field(default=None, description="Take-profit price (futures actions only).")
    loss: Amount | None = Field(default=None, description="Stop-loss price (futures actions only).")
    client_order_id: ClientOrderId | None = Field(
        default=None, alias="clientOrderId", description="Names the order to place or to cancel."
    )

    @property
    def implicit_full_size(self) -> bool:
        """Whether this entry names no size, which the platform reads as 100 % of the balance."""
        sized = self.fixed is not None or self.percent is not None or self.notional is not None
        return not sized and self.action in ENTRY_ACTIONS

    @model_validator(mode="after")
    def _fits_action(self) -> Self:
        if self.action is Action.CANCEL and self.client_order_id is None:
            raise PydanticCustomError("fit", "`clientOrderId` is required when `action` is cancel")
        if self.action in SPOT_ACTIONS and (self.profit is not None or self.loss is not None):
            field = "profit" if self.profit is not None else "loss"
            raise PydanticCustomError(
                "fit",
                "`{field}` is for futures actions only, but `action` is {action}",
                {"field": field, "action": self.action.value},
            )
        return self
