"""The messages in a Pine script: what `alert_message=`, `message=` and `alert(` are given, if that is clear.

Not a parser of Pine: it joins texts, fills in ``{{computed}}`` for what the script computes, and says what it
could not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from producers.lint.placeholders import DYNAMIC

_CODE: Final = re.compile(
    r"""(?P<comment>//[^\n]*)|(?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
    r"""|(?P<name>[A-Za-z_][\w.]*)|(?P<blank>\s+)|(?P<mark>.)""",
    re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_NAMED: Final = ("alert_message", "message", "alert_profit", "alert_loss", "alert_trailing")
_DEEPEST: Final = 4


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Message:
    """A message in a script; without ``text`` it is computed as a whole."""

    line: int
    text: str | None


def messages_in(script: str) -> Iterator[Message]:
    """The messages that the script sends, in order."""
    tokens = [one for one in _tokens(script) if one.kind not in ("comment", "blank")]
    for at, token in enumerate(tokens):
        if _starts_message(tokens, at):
            parts = _joined(tokens, at + 2, ())
            known = any(part is not None for part in parts)
            text = "".join("{{" + DYNAMIC + "}}" if part is None else part for part in parts)
            yield Message(token.line, text if known else None)


def _tokens(script: str) -> Iterator[Token]:
    line = 1
    for match in _CODE.finditer(script):
        yield Token(match.lastgroup or "mark", match[0], line)
        line += match[0].count("\n")


def _starts_message(tokens: list[Token], at: int) -> bool:
    if at + 2 >= len(tokens) or tokens[at].kind != "name":
        return False
    name, mark = tokens[at].text, tokens[at + 1].text
    named = (
        name in _NAMED
        and mark == "="
        and tokens[at + 2].text != "="
        and at > 0
        and tokens[at - 1].text in "(,"
    )
    return named or (name == "alert" and mark == "(" and tokens[at + 2].text != "message")


def _joined(tokens: list[Token], at: int, seen: tuple[str, ...]) -> list[str | None]:
    """The parts of an expression that begins at a token: texts, and None for what is computed."""
    parts: list[str | None] = []
    depth, line = 0, tokens[at].line if at < len(tokens) else 0
    expects = True
    for place in range(at, len(tokens)):
        token = tokens[place]
        if depth == 0 and (
            token.text in (",", ")") or (not expects and token.line > line and token.text != "+")
        ):
            break
        line = token.line
        if token.text in ("(", "["):
            depth += 1
        elif token.text in (")", "]"):
            depth -= 1
        expects = token.text == "+"
        if depth == 0 and token.kind == "text":
            parts.append(_ESCAPE.sub(r"\1", token.text[1:-1]))
        elif depth == 0 and token.kind == "name" and (known := _assigned(tokens, token.text, seen)):
            parts += known
        elif token.text != "+" and (not parts or parts[-1] is not None):
            parts.append(None)
    return parts


def _assigned(tokens: list[Token], name: str, seen: tuple[str, ...]) -> list[str | None]:
    """What a variable is given, if that is written down in one place only."""
    places = [
        at
        for at in range(len(tokens) - 2)
        if tokens[at].text == name
        and tokens[at + 1].text == "="
        and tokens[at + 2].text != "="
        and (at == 0 or tokens[at - 1].text not in "(,")
    ]
    changed = any(tokens[at].text == name and tokens[at + 1].text == ":" for at in range(len(tokens) - 1))
    if len(places) != 1 or changed or name in seen or len(seen) >= _DEEPEST:
        return []
    return _joined(tokens, places[0] + 2, (*seen, name))
