"""The position sync: the sender says which position it holds, the platform trades the difference."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from worker.contract.decimals import Seconds, Size
from worker.contract.shape import Addressed, Shape
from worker.contract.texts import Mode

KNOWN_MODES: Final = (
    "compoundAvailableBalancePercent",
    "noCompoundAvailableBalancePercent",
    "noCompoundAvailableBalanceNotional",
    "FixedAssetTrade",
    "totalBalancePercent",
    "fixedTotalBalance",
)
"""Values of `entryOrder.mode` seen from the platform; it may know more."""


class Side(StrEnum):
    """Direction of a position."""

    LONG = "long"
    SHORT = "short"
    FLAT = "flat"


_SIDES: Final = {side.value: side for side in Side}


def read_side(value: object) -> Side:
    """Validate the direction of a position; raises `PydanticCustomError`."""
    known = _SIDES.get(value) if isinstance(value, str) else None
    if known is None:
        raise PydanticCustomError("side", "must be one of long, short, flat")
    return known


_Side = Annotated[Side, PlainValidator(read_side), WithJsonSchema({"type": "string", "enum": list(_SIDES)})]


class EntryOrder(Shape):
    """How large an entry is and at which price; the numbers stay JSON numbers."""

    value: Size = Field(description="Percent, amount or value, as `mode` says.")
    mode: Mode = Field(description="How `value` is read. " + ", ".join(KNOWN_MODES) + " are known.")
    size: Size | None = Field(default=None, description="Contracts or coins of the entry.")
    price: Size | None = Field(default=None, description="Price of the entry.")


class Position(Shape):
    """The position to hold and the one before; the numbers stay JSON numbers."""

    side: _Side = Field(description="Direction to hold.")
    size: Size | None = Field(default=None, description="Size to hold.")
    prev_side: _Side | None = Field(default=None, description="Direction before this signal.")
    prev_size: Size | None = Field(default=None, description="Size before this signal.")


class PositionSyncSignal(Addressed):
    """A "Sync By Position" message: no action, but the position before and after."""

    entry_order: EntryOrder = Field(alias="entryOrder", description="How to enter the position.")
    position: Position = Field(description="The position before and after.")
    max_wait_position_reversal_seconds: Seconds | None = Field(
        default=None,
        alias="maxWaitPositionReversalSeconds",
        description="Seconds the platform waits for the old position to close when the side turns.",
    )
