"""From the text of a file to its messages and templates, and to what is found in them."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Final, Literal

from producers.errors import LoadError
from producers.lint.findings import Finding, error, hint
from producers.lint.message import Body, Ids, look_at, read
from producers.lint.pine import messages_in
from producers.lint.template import examine_template
from producers.load.lines import Place
from producers.load.rows import read_csv
from worker.contract.hiding import masked
from worker.errors import InvalidSignal

Kind = Literal["json", "jsonl", "csv", "pine"]
Shape = Literal["template", "messages"]

_TOKEN: Final = re.compile(r"connectorToken\W{1,8}([^\s\"',}]+)")
_MOST_SECRETS: Final = 1000


def examine(data: bytes, kind: Kind, shape: Shape | None = None) -> list[Finding]:
    """All that is found in a file, in order of lines. Never raises for what it holds, never shows a token.

    ``shape``: whether placeholders are meant. Unless said, they are in a Pine script and in a file of one
    message; in a file of many they are left over.
    """
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    # A token may stand in a broken message, too, where nobody else finds it.
    secrets = sorted({*_TOKEN.findall(text)}, key=len, reverse=True)[:_MOST_SECRETS]
    found = (_hidden(one, secrets) for one in _findings(text, kind, shape))
    return sorted(dict.fromkeys(found), key=lambda one: one.line)


def _hidden(one: Finding, secrets: list[str]) -> Finding:
    return Finding(one.line, one.severity, masked(one.text, secrets), one.advice)


def _findings(text: str, kind: Kind, shape: Shape | None) -> Iterator[Finding]:
    if kind == "pine":
        yield from _pine(text)
    elif kind == "csv":
        yield from _csv(text)
    elif shape == "template" or (shape is None and "{{" in text and _is_one(text)):
        yield from examine_template(text.strip(), 1 + _blank_lines(text))
    elif kind == "jsonl" or not _is_one(text):
        yield from _lines(text)
    else:
        yield from _document(text)


def _is_one(text: str) -> bool:
    """Whether the text is one message rather than one a line, or an array."""
    lines = [line for line in text.splitlines() if line.strip()]
    return len(lines) < 2 or not all(line.strip().startswith("{") for line in lines[:2])


def _blank_lines(text: str) -> int:
    return text[: len(text) - len(text.lstrip())].count("\n")


def _lines(text: str) -> Iterator[Finding]:
    ids = Ids()
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield from _message(line.encode("utf-8", "replace"), number, ids)


def _document(text: str) -> Iterator[Finding]:
    line = 1 + _blank_lines(text)
    if not text.strip():
        yield error(1, "there is no message", "give a message, a template or a script")
        return
    if not text.lstrip().startswith("["):
        yield from _message(text.encode("utf-8", "replace"), line, Ids())
        return
    try:
        items = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        yield from _message(text.encode("utf-8", "replace"), line, Ids())
        return
    ids = Ids()
    for item in items:
        place = line + text.count("\n", 0, _position(text, item))
        yield from _message(json.dumps(item).encode(), place, ids)


def _position(text: str, item: object) -> int:
    """Roughly where an item of an array stands: at its first text."""
    first = next(iter(item.values()), None) if isinstance(item, dict) else None
    return max(0, text.find(json.dumps(first, ensure_ascii=False))) if isinstance(first, str) else 0


def _message(body: Body, line: int, ids: Ids) -> Iterator[Finding]:
    signal = read(body, line)
    if isinstance(signal, Finding):
        yield signal
        return
    yield from look_at(signal, line)
    yield from ids.look_at(signal, line)


def _csv(text: str) -> Iterator[Finding]:
    ids = Ids()
    try:
        for row in read_csv(io.BytesIO(text.encode("utf-8", "replace")), Place()):
            if isinstance(row.source, InvalidSignal):
                yield error(row.line, str(row.source), "mend the row")
            else:
                yield from _message(row.source, row.line, ids)
    except LoadError as problem:
        yield error(1, str(problem), "correct the header")


def _pine(text: str) -> Iterator[Finding]:
    found = False
    for message in messages_in(text):
        found = True
        if message.text is None:
            yield hint(
                message.line,
                "this message is computed, so it was not checked",
                "check what it gives, with lint -",
            )
        elif not message.text.lstrip().startswith("{"):
            yield hint(message.line, "this message is no JSON, so it was not checked")
        else:
            yield from examine_template(message.text, message.line)
    if not found:
        yield hint(
            1, "no `alert(…)`, `alert_message=` or `message=` with a text was found: nothing was checked"
        )
