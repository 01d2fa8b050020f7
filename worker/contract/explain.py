"""Turns what the models complain about into one line for a person."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from worker.contract.hiding import kind_of, label, leaves, masked, secrets_in, shown
from worker.contract.order import Action, OrderSignal
from worker.contract.position import EntryOrder, Position, PositionSyncSignal, Side
from worker.contract.shape import Shape


def names_of(model: type[Shape]) -> tuple[str, ...]:
    """The JSON names of a model's fields."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


ORDER_FIELDS: Final = names_of(OrderSignal)
SYNC_FIELDS: Final = names_of(PositionSyncSignal)
NESTED_FIELDS: Final = {"entryOrder": names_of(EntryOrder), "position": names_of(Position)}
ALL_FIELDS: Final = tuple(dict.fromkeys(ORDER_FIELDS + SYNC_FIELDS))
_LONGEST_GUESS: Final = 40
"""Characters of a word that is worth a guess: comparing takes time, and no name has more than 30."""


def did_you_mean(word: str, candidates: Iterable[str], mark: str = "`") -> str:
    """``: did you mean `x`?`` for the nearest candidate (letter case ignored), or nothing."""
    if len(word) > _LONGEST_GUESS:
        return ""
    spellings = {_folded(candidate): candidate for candidate in candidates}
    near = difflib.get_close_matches(_folded(word), spellings, n=1)
    return f": did you mean {mark}{spellings[near[0]]}{mark}?" if near else ""


def _folded(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "").strip()


def explain(error: ValidationError, data: Mapping[str, object]) -> str:
    """One line for the most telling problem: a misspelt name goes before the field that is missing for it."""
    details = error.errors(include_url=False, include_context=False)
    details.sort(key=lambda detail: detail["type"] != "extra_forbidden")
    others = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return hidden(_sentence(details[0], data) + others, data)


def hidden(sentence: str, data: Mapping[str, object]) -> str:
    """The sentence without the token of this raw signal, wherever it came from."""
    return masked(sentence, leaves(data.get("connectorToken")))


def unknown_field(path: tuple[object, ...], data: Mapping[str, object]) -> str:
    """The sentence for a field that nobody knows; its value may be a token and is never shown."""
    word = path[-1]
    if not isinstance(word, str):
        return f"field names must be texts, not {kind_of(word)}"
    mark = label(word, *_secrets(data))
    if len(path) > 1:
        parent = str(path[0])
        return f"unknown field {mark} in `{parent}`" + did_you_mean(word, NESTED_FIELDS.get(parent, ()))
    if word in ALL_FIELDS:
        return f"`{word}` belongs to {'an order signal' if word in ORDER_FIELDS else 'a position sync'}"
    return f"unknown field {mark}" + (did_you_mean(word, _own_fields(data)) or did_you_mean(word, ALL_FIELDS))


def _own_fields(data: Mapping[str, object]) -> tuple[str, ...]:
    if data.get("action") is not None:
        return ORDER_FIELDS
    return SYNC_FIELDS if data.get("position") is not None else ALL_FIELDS


def _sentence(detail: ErrorDetails, data: Mapping[str, object]) -> str:
    path, kind, value = detail["loc"], detail["type"], detail["input"]
    name = ".".join(str(part) for part in path)
    if kind == "extra_forbidden":
        return unknown_field(path, data)
    if kind == "fit":
        return detail["msg"]
    if kind == "invalid_key":
        return f"field names must be texts, not {kind_of(value)}"
    if kind == "missing" or value is None:
        return f"`{name}` is required"
    return f"`{name}` {_rule(detail)}" + _offending(name, value, data) + _guess(kind, value)


def _unrendered(value: object) -> bool:
    return isinstance(value, str) and "{{" in value


def _rule(detail: ErrorDetails) -> str:
    if _unrendered(detail["input"]):
        return "still contains a template placeholder {{, so the alert was sent unrendered"
    return "must be an object" if detail["type"] == "model_type" else detail["msg"]


def _offending(name: str, value: object, data: Mapping[str, object]) -> str:
    return "" if name == "connectorToken" else f", got {shown(value, *_secrets(data))}"


def _secrets(data: Mapping[str, object]) -> list[str]:
    return secrets_in(data, ALL_FIELDS, NESTED_FIELDS)


def _guess(kind: str, value: object) -> str:
    candidates = {"action": tuple(Action), "side": tuple(Side)}.get(kind, ())
    return did_you_mean(value, candidates) if isinstance(value, str) and not _unrendered(value) else ""
