"""From bytes to plain Python objects, without losing a digit and without trusting the sender."""

from __future__ import annotations

import json
from collections import Counter
from typing import Final

from worker.contract.decimals import JsonNumber
from worker.errors import InvalidSignal

_BOM: Final = b"\xef\xbb\xbf"


class RepeatedField(dict[str, object]):
    """A JSON object in which one name stands twice; which of the two was meant cannot be known."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        names = Counter(name for name, _ in pairs)
        self.field = names.most_common(1)[0][0]


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else RepeatedField(pairs)


_decode: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=JsonNumber, parse_int=JsonNumber, parse_constant=JsonNumber
).decode


def utf8(data: bytes | bytearray | memoryview | str) -> bytes:
    """The bytes of a body without a byte order mark; lone surrogates pass and fail in `decode`."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else bytes(data)
    return raw[len(_BOM) :] if raw.startswith(_BOM) else raw


def decode(raw: bytes) -> object:
    """The JSON value of a body, its numbers as `JsonNumber`. Raises `InvalidSignal` without any content."""
    value, problem = _decoded(raw)
    if problem:
        # Raised here, not in the handlers, so that no exception holding the body is chained to it.
        raise InvalidSignal(problem)
    return value


def _decoded(raw: bytes) -> tuple[object, str]:
    try:
        return _decode(raw.decode()), ""
    except UnicodeDecodeError as error:
        return None, f"the body is not UTF-8 (byte {error.start + 1})"
    except json.JSONDecodeError as error:
        return None, f"the body is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})"
    except RecursionError:
        return None, "the body is nested too deeply"
