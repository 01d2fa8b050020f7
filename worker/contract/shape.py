"""What both message shapes have in common: frozen, closed, and silent about the token."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from worker.contract.decimals import Seconds
from worker.contract.texts import ConnectorName, ConnectorToken, FreeText

HIDDEN: Final = "***"
"""Stands where a token would be shown."""

SHORTEST_SECRET: Final = 4
"""Characters from which on a token is masked inside other texts; shorter ones hide nothing but garble all."""


class Shape(BaseModel):
    """A closed, immutable JSON object; attributes are snake_case, the JSON names are aliases."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Addressed(Shape):
    """The fields that every signal may carry: whom it is for, what to log, how long to wait."""

    connector_name: ConnectorName = Field(alias="connectorName", description="Names the account.")
    connector_token: ConnectorToken | None = Field(
        default=None,
        alias="connectorToken",
        repr=False,
        description="The account's secret.",
    )
    log: FreeText | None = Field(default=None, description="Free text; the delay filter reads it.")
    delay_seconds: Seconds | None = Field(
        default=None, alias="delaySeconds", description="Seconds to wait before the order is posted."
    )
    delay_seconds_filter: FreeText | None = Field(
        default=None,
        alias="delaySecondsFilter",
        description="Wait only if `log` contains this word (case-sensitive).",
    )

    def __repr_args__(self) -> Iterator[tuple[str | None, object]]:
        """Fields for ``repr``; a token that was copied into another field is masked there too."""
        for name, value in super().__repr_args__():
            masks = isinstance(value, str) and not isinstance(value, Enum)
            yield name, self._without_token(str(value)) if masks else value

    def __repr__(self) -> str:
        """All fields but the token, which is masked in nested fields as well."""
        return self._without_token(super().__repr__())

    def __str__(self) -> str:
        """Like ``repr``, without the name of the class."""
        return self._without_token(super().__str__())

    def _without_token(self, text: str) -> str:
        token = self.connector_token
        if not token or len(token) < SHORTEST_SECRET:
            return text
        return text.replace(token, HIDDEN).replace(repr(token)[1:-1], HIDDEN)
