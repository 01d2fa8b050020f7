"""What may be given to ``SignalProducer.send``: one signal or many, in which form, with which keys. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias, TypeVar

from producers.admission import Draft, Source, checked_key
from producers.fanout import expand, is_for_group
from worker.accounts import Accounts
from worker.contract import OrderSignal, PositionSyncSignal, split
from worker.errors import InvalidSignal

Text: TypeAlias = bytes | bytearray | memoryview | str
S = TypeVar("S", bound=Source)
Many: TypeAlias = list[S] | tuple[S, ...] | Iterator[S]
Keys: TypeAlias = str | Sequence[str | None] | None

# Mappings and models can be iterated over, but are one signal.
_ONE = (Mapping, OrderSignal, PositionSyncSignal, InvalidSignal)


def drafts_of(given: object, keys: Keys, accounts: Accounts | None) -> Draft | Iterator[Draft]:
    """One draft for one signal, an iterator of them for many; a signal for a group gives one per member.

    Raises InvalidSignal for keys that do not fit; what is wrong with a signal is left for its receipt.
    """
    if isinstance(given, bytes | bytearray | memoryview | str):
        content = _read(given)
        if is_for_group(content):
            content, keys = [content], keys if keys is None else [checked_key(str(keys))]
    else:
        content = given
    if isinstance(content, _ONE) or not isinstance(content, Iterable):
        if keys is not None and not isinstance(keys, str):
            raise InvalidSignal("a single signal takes a single idempotency key, not a sequence")
        if is_for_group(content):
            content = InvalidSignal("a `group` gives a receipt for each member: put the signal into a list")
        return Draft(content, checked_key(keys))
    return _drafts(_keyed(content, keys), accounts)


def _keyed(sources: Iterable[object], keys: Keys) -> Iterable[tuple[object, str | None]]:
    if keys is None:
        return ((source, None) for source in sources)
    if isinstance(keys, str):
        raise InvalidSignal(
            "one idempotency key for many signals would make duplicates of them: give a list, one each"
        )
    sources = list(sources)
    if len(sources) != len(keys):
        raise InvalidSignal(f"{len(sources)} signals came with {len(keys)} idempotency keys: give one each")
    return zip(sources, keys, strict=True)


def _drafts(keyed: Iterable[tuple[object, str | None]], accounts: Accounts | None) -> Iterator[Draft]:
    for source, key in keyed:
        if is_for_group(source):
            yield from _members(source, key, accounts)
        else:
            yield Draft(source, key)


def _members(source: Mapping[str, object], key: str | None, accounts: Accounts | None) -> list[Draft]:
    """The key is the same for all members, as the clientOrderId is: both are scoped by connector."""
    try:
        return [Draft(member, key) for member in expand(source, accounts)]
    except InvalidSignal as error:
        return [Draft(error.with_traceback(None), key)]


def _read(text: Text) -> object:
    """A body's single signal, or the list of them if it is an array or JSON lines."""
    content = split(text)
    start = text if isinstance(text, str) else bytes(text[:64]).decode("utf-8", "replace")
    is_array = start.removeprefix("\ufeff").lstrip().startswith("[")
    return content[0] if len(content) == 1 and not is_array else content
