"""Puts a script together from those shared parts that it uses.

Redis runs the whole text of a script at each call, and makes each function that stands in it anew: what is
not used would cost more than what is done. So:

- A part is a piece of a shared file from one ``local`` or ``if`` at the beginning of a line to the next. It
  is taken if it defines a name that the script, or a part that is taken, mentions; or if it defines none.
- A file of the folder ``rare`` is one part: a function of the file's name that gives what the file returns,
  and makes it when it is first called. It stands before the first part that mentions it.
- What follows the basis stands in a function of its own. A function that uses a local of the one around it is
  made the faster the fewer others are in use there, and finds what is further out at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

SHARED = ("common", "brakes", "lanes", "intake", "alone")
"""Files whose parts build on each other in this order, and on the basis."""

_COMMENT = re.compile(r"^ *--.*\n|\s+--.*$", re.MULTILINE)
_STRING = re.compile(r"'(?:\\.|[^'\\\n])*'")
_NAME = re.compile(r"(?<![.\w])[A-Za-z_]\w*")
_BEGIN = re.compile(r"^(?=local |if )", re.MULTILINE)
_DEFINED = re.compile(r"local (?:function )?(\w+(?:, \w+)*)")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of Lua: what it defines for those behind it, and what names it mentions."""

    text: str
    defined: frozenset[str]
    mentioned: frozenset[str]


@cache
def script(name: str) -> str:
    """The text of the script ``name`` without its comments, with all it needs in front."""
    own = Part(_read(f"{name}.lua"), frozenset(), _names(_read(f"{name}.lua")))
    rare = {one: _rare(one, _read(f"rare/{one}.lua")) for one in _rare_names()}
    shared = [part for file in SHARED for part in parts(_read(f"{file}.lua"))]
    basis = list(parts(_read("basis.lua")))
    *inner, own = with_rare([*shared, own], rare)
    inner = needed(inner, [own.mentioned])
    outer = needed(basis, [own.mentioned, *(part.mentioned for part in inner)])
    return f"{_text(outer)}return (function()\n{_text([*inner, own])}end)()\n"


def parts(text: str) -> Iterator[Part]:
    """The parts of a shared file."""
    for piece in _BEGIN.split(text):
        if piece.strip():
            found = _DEFINED.match(piece)
            yield Part(piece, frozenset(found[1].split(", ") if found else ()), _names(piece))


def with_rare(shared: Iterable[Part], rare: Mapping[str, Part]) -> list[Part]:
    """Each rare part before the first that mentions it, be that a rare one itself."""
    placed: list[Part] = []

    def place(part: Part) -> None:
        for name, other in rare.items():
            if name in part.mentioned and other is not part and other not in placed:
                place(other)
        placed.append(part)

    for part in shared:
        place(part)
    return placed


def needed(available: Iterable[Part], wanted: Iterable[frozenset[str]]) -> list[Part]:
    """Those that define what is wanted, or what one of them mentions, or nothing; in their order."""
    available = list(available)
    by_name = {name: part for part in available for name in part.defined}
    taken = {part for part in available if not part.defined}
    left = [*wanted, *(part.mentioned for part in taken)]
    while left:
        found = {by_name[name] for name in left.pop() if name in by_name} - taken
        taken |= found
        left += [part.mentioned for part in found]
    return [part for part in available if part in taken]


def _rare(name: str, text: str) -> Part:
    made = f"local made_{name}\nlocal function {name}()\n"
    body = f"made_{name} = made_{name} or (function()\n{text}end)()\nreturn made_{name}\nend\n"
    return Part(made + body, frozenset({name}), _names(text))


def _rare_names() -> list[str]:
    folder = files("worker.lanes") / "lua" / "rare"
    return sorted(file.name.removesuffix(".lua") for file in folder.iterdir())


def _read(name: str) -> str:
    return _COMMENT.sub("", (files("worker.lanes") / "lua" / name).read_text("utf-8"))


def _names(text: str) -> frozenset[str]:
    return frozenset(_NAME.findall(_STRING.sub("", text)))


def _text(chosen: Iterable[Part]) -> str:
    return "".join(part.text for part in chosen)
