"""What may be given to ``SignalProducer.send``: one signal or many, in which form, with which keys. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias, TypeVar

from producers.admission import Draft, Source, checked_key
from worker.contract import OrderSignal, PositionSyncSignal, Rules, parse_many
from worker.errors import InvalidSignal

Text: TypeAlias = bytes | bytearray | memoryview | str
S = TypeVar("S", bound=Source)
Many: TypeAlias = list[S] | tuple[S, ...] | Iterator[S]
Keys: TypeAlias = str | Sequence[str | None] | None

# Mappings and models can be iterated over, but are one signal.
_ONE = (Mapping, OrderSignal, PositionSyncSignal, InvalidSignal)


def drafts_of(given: object, keys: Keys, rules: Rules) -> Draft | Iterator[Draft]:
    """One draft for one signal, an iterator of them for many.

    Raises InvalidSignal for keys that do not fit; what is wrong with a signal is left for its receipt.
    """
    content = _read(given, rules) if isinstance(given, bytes | bytearray | memoryview | str) else given
    if isinstance(content, _ONE) or not isinstance(content, Iterable):
        if keys is not None and not isinstance(keys, str):
            raise InvalidSignal("a single signal takes a single idempotency key, not a sequence")
        return Draft(content, checked_key(keys))
    if keys is None:
        return (Draft(source) for source in content)
    if isinstance(keys, str):
        raise InvalidSignal(
            "one idempotency key for many signals would make duplicates of them: give a list, one each"
        )
    sources = list(content)
    if len(sources) != len(keys):
        raise InvalidSignal(f"{len(sources)} signals came with {len(keys)} idempotency keys: give one each")
    return (Draft(source, key) for source, key in zip(sources, keys, strict=True))


def _read(text: Text, rules: Rules) -> object:
    """A body's single signal, or the list of them if it is an array or JSON lines."""
    content = parse_many(text, rules)
    start = text if isinstance(text, str) else bytes(text[:64]).decode("utf-8", "replace")
    is_array = start.removeprefix("\ufeff").lstrip().startswith("[")
    return content[0] if len(content) == 1 and not is_array else content
