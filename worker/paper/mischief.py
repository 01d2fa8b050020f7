"""How the paper endpoint misbehaves: rules as data, read from JSON or from a short text.

    503:p=0.1                          one request in ten is answered 503, nothing is placed
    429:retry_after=2,connector=acct-* what a rate limit looks like
    hang:nth=2,seconds=30              each connector's second request is never answered
    reset:clientOrderId=*,nth=1        each order's first attempt is cut off after it was read

An effect ``place``s the order or does not: whether an attempt without a clear answer did its work
is exactly what a sender cannot know, so both must be possible.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from worker.errors import SettingsError
from worker.paper.values import READERS

_BODY_FIELDS = ("connector", "action", "client_order_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One misbehaviour: whom it meets (the first six fields) and what it does.

    ``connector``, ``action`` and ``client_order_id`` are shell-style patterns. ``nth`` counts the
    matching requests per connector, and per clientOrderId too where the rule names one.
    ``first`` ends the rule after so many hits. ``p`` is a probability. Times are in seconds.
    """

    effect: str
    connector: str | None = None
    action: str | None = None
    client_order_id: str | None = None
    nth: int | None = None
    first: int | None = None
    p: float = 1.0
    place: bool = True
    status: int = 0
    retry_after: str | None = None
    body: str | None = None
    seconds: float = 30.0
    every: float = 0.05
    size: int = 8_000_000
    location: str | None = None
    min: float = 0.0
    max: float = 0.0

    @property
    def before_body(self) -> bool:
        """Whether the rule acts on the headers alone, so that the body is never read."""
        return self.effect == "reset_early" and all(getattr(self, name) is None for name in _BODY_FIELDS)

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; :meth:`Mischief.from_json` reads it back to an equal rule."""
        name = str(self.status) if self.effect == "status" else self.effect
        told: dict[str, Any] = {"effect": name}
        for key in (*_MATCH_KEYS, *_EFFECT_KEYS[self.effect]):
            value = getattr(self, _attribute(key))
            if value is not None and not (key == "p" and value == 1):
                told[key] = value
        return told

    def __str__(self) -> str:
        told = self.as_dict()
        name = told.pop("effect")
        settings = ",".join(
            f"{k}={str(v).lower() if v is True or v is False else v}" for k, v in told.items()
        )
        return f"{name}:{settings}" if settings else name


@dataclass(frozen=True, slots=True)
class Mischief:
    """An ordered set of rules: the first that matches acts; ``latency`` lets later ones act too."""

    rules: tuple[Rule, ...] = ()

    @classmethod
    def from_text(cls, *texts: str) -> Mischief:
        """Read rules such as ``503:p=0.1``; raises SettingsError with one line for the first bad one."""
        return cls(tuple(_from_text(text) for text in texts))

    @classmethod
    def from_json(cls, data: object) -> Mischief:
        """Read a list of rule objects, or ``{"rules": [...]}``; texts may stand for rules.

        Raises SettingsError with one line for the first bad one.
        """
        rules = data.get("rules") if isinstance(data, Mapping) else data
        if not isinstance(rules, list):
            raise SettingsError('mischief: expected a list of rules or {"rules": [...]}')
        return cls(tuple(_from_text(rule) if isinstance(rule, str) else _from_object(rule) for rule in rules))

    def as_json(self) -> list[dict[str, Any]]:
        """The rules as :meth:`from_json` reads them."""
        return [rule.as_dict() for rule in self.rules]


def _from_text(text: str) -> Rule:
    name, _, rest = text.strip().partition(":")
    settings: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in rest.split(","))):
        key, equals, value = part.partition("=")
        if not equals:
            raise SettingsError(f"mischief {_short(text)}: {part!r} should read key=value")
        settings[key.strip()] = value.strip()
    return _rule(name.strip(), settings, _short(text))


def _from_object(data: object) -> Rule:
    if not isinstance(data, Mapping) or not isinstance(data.get("effect"), str | int):
        raise SettingsError(f'mischief {_short(data)}: a rule is an object with an "effect"')
    settings = {
        str(key): value if isinstance(value, str) else json.dumps(value)
        for key, value in data.items()
        if key != "effect" and value is not None
    }
    return _rule(str(data["effect"]), settings, _short(data))


def _rule(name: str, settings: Mapping[str, str], text: str) -> Rule:
    values = _defaults(name)
    if values is None:
        raise SettingsError(f"mischief {text}: unknown effect {name!r}; one of {_EFFECT_NAMES}")
    allowed = (*_MATCH_KEYS, *_EFFECT_KEYS[values["effect"]])
    for key, value in settings.items():
        if key not in allowed:
            raise SettingsError(
                f"mischief {text}: {name} has no setting {key!r}; it has {', '.join(allowed)}"
            )
        try:
            values[_attribute(key)] = READERS[key](value)
        except ValueError as error:
            raise SettingsError(f"mischief {text}: {key}={value!r}: {error}") from None
    least, most = values.get("min", 0.0), values.get("max")
    if most is not None and least > most:
        raise SettingsError(f"mischief {text}: min is above max")
    return Rule(**values | {"max": least if most is None else most})


def _defaults(name: str) -> dict[str, Any] | None:
    """What an effect comes with; None if there is no such effect.

    An order goes through or not as it most likely would at the real endpoint.
    """
    if re.fullmatch("[45][0-9]{2}", name, re.ASCII):
        return {"effect": "status", "status": int(name), "place": name >= "500" and name != "503"}
    if name == "status" or name not in _EFFECT_KEYS:
        return None
    place = name not in {"reset_early", "redirect"}
    return {"effect": name, "place": place, "status": 302 if name == "redirect" else 0}


def _attribute(key: str) -> str:
    return "client_order_id" if key == "clientOrderId" else key


def _short(data: object) -> str:
    return repr(data)[:80]


_MATCH_KEYS = ("connector", "action", "clientOrderId", "nth", "first", "p")
_EFFECT_KEYS: Mapping[str, tuple[str, ...]] = {
    "status": ("retry_after", "body", "place"),
    "hang": ("seconds", "place"),
    "reset": ("place",),
    "reset_early": (),
    "drip": ("every", "place"),
    "huge": ("size", "place"),
    "redirect": ("status", "location", "place"),
    "body": ("body", "place"),
    "close": (),
    "latency": ("min", "max"),
}
_EFFECT_NAMES = ", ".join(["400 to 599", *(name for name in _EFFECT_KEYS if name != "status")])
