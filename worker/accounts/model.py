"""What an accounts file may say of a connector and of a group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
)

from worker.contract import Market, Rules
from worker.contract.hiding import looks_like_token
from worker.contract.texts import connector_name, connector_token
from worker.policy import Policy

Base = TypeVar("Base", Rules, Policy)
Seconds = Annotated[float, Field(gt=0, le=604_800, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text: put it into quotes")  # noqa: TRY004 - pydantic wants ValueError
    if looks_like_token(value):
        raise ValueError("looks like a token: it must be the name of the account")
    return connector_name(value)


def _token(value: SecretStr) -> SecretStr:
    connector_token(value.get_secret_value())
    return value


def _text(value: object) -> object:
    if isinstance(value, int | float):
        raise ValueError("must be a text: put it into quotes")  # noqa: TRY004
    return value


Name = Annotated[str, BeforeValidator(_name)]
Token = Annotated[SecretStr, BeforeValidator(_text), AfterValidator(_token)]


class Entry(BaseModel):
    """What accounts and groups have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Name
    token: Token | None = None
    """In the file: inline, ``${VARIABLE}``, or ``token_file`` with the path of a file that holds it."""


class Account(Entry):
    """One connector. What is None is as the settings say. Durations are seconds, rates per second."""

    groups: tuple[Name, ...] = ()
    market: Market | None = None
    """Actions of the other market are errors."""
    enabled: bool = True
    """If not, its signals are refused, and those that wait are not posted."""
    rate: Rate | None = None
    """Signals per second; 0: no limit."""
    burst: int | None = Field(None, ge=1, le=1_000_000)
    max_percent: Decimal | None = Field(None, gt=0, le=10_000)
    require_size: bool | None = None
    dedup_window: Seconds | None = None
    entry_expiry: Seconds | None = None
    resend_limit: int | None = Field(None, ge=0, le=100)
    """How often a full exit or a cancel of unknown fate is posted again; 0: held like an entry."""

    def rules(self, base: Rules) -> Rules:
        """The operator's rules for this connector's signals."""
        own = {"max_percent": self.max_percent, "require_size": self.require_size, "market": self.market}
        return _overridden(base, own)

    def policy(self, base: Policy) -> Policy:
        """What is done with this connector's signals."""
        return _overridden(base, {"entry_expiry": self.entry_expiry, "resend_limit": self.resend_limit})


class Group(Entry):
    """A group that has a token of its own: what comes with it may be addressed to the whole group."""


def _overridden(base: Base, own: Mapping[str, Any]) -> Base:
    own = {name: value for name, value in own.items() if value is not None}
    return replace(base, **own) if own else base
