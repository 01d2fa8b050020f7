"""How the queue's scripts are put together."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from worker.lanes import assembly
from worker.lanes.assembly import Part, needed, parts, with_rare

LUA = files("worker.lanes") / "lua"
SCRIPTS = ["admit", "admit_one", "checkout", "settle", "defer", "drop", "pause", "release", "resolve", "wake"]


def names(chosen: list[Part]) -> list[str]:
    return [name for part in chosen for name in sorted(part.defined)]


def test_what_is_mentioned_is_taken_with_all_that_it_mentions() -> None:
    shared = parts("local a = 1\nlocal function b() return a end\nlocal c, d = 2, 3\nlocal e = c\n")
    assert names(needed(shared, [frozenset({"b"})])) == ["a", "b"]


def test_what_defines_nothing_is_always_taken() -> None:
    shared = list(parts("local a = 1\nlocal b = 2\nif a then return end\n"))
    assert [part.text for part in needed(shared, [])] == ["local a = 1\n", "if a then return end\n"]


def test_fields_and_texts_are_no_mentions() -> None:
    shared = parts("local turn = 1\nlocal function act(rec) call('turn') return rec.turn end\n")
    assert names(needed(shared, [frozenset({"act"})])) == ["act"]


def test_a_rare_part_stands_before_the_first_that_mentions_it() -> None:
    shared = list(parts("local a = 1\nlocal function b() far().go(a) end\nlocal function c() far() end\n"))
    rare = {
        "far": Part("", frozenset({"far"}), frozenset({"further"})),
        "further": Part("", frozenset({"further"}), frozenset({"a"})),
        "unused": Part("", frozenset({"unused"}), frozenset()),
    }
    assert names(with_rare(shared, rare)) == ["a", "further", "far", "b", "c"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_shared_name_is_defined_before_it_is_mentioned(name: str) -> None:
    # A name that is not would be a global to Lua: an error, but only once that line is run.
    text = assembly.script(name)
    shared = {one for file in _shared_files() for part in parts(file) for one in part.defined}
    code = re.sub(r"'(?:\\.|[^'\\\n])*'", "''", text)
    for defined in shared | _rare_names():
        first = re.search(rf"(?<![.\w]){defined}\b(?! = )", code)
        if first:
            definition = re.search(rf"^local (?:function )?(?:\w+, )*{defined}\b", code, re.MULTILINE)
            # Where it is first said it may be the name of a parameter or of a local of another function.
            said = rf"(?:local (?:\w+, )*|for (?:\w+, )*|function \w*\((?:\w+, )*){defined}$"
            hidden = re.search(said, code[: first.end()])
            assert hidden or (definition and definition.start() <= first.start()), defined


def test_comments_are_left_out() -> None:
    for name in SCRIPTS:
        assert "--" not in assembly.script(name)


def test_no_name_is_defined_twice() -> None:
    defined = [name for file in _shared_files() for part in parts(file) for name in part.defined]
    assert sorted(defined) == sorted(set(defined))
    assert not set(defined) & _rare_names()


def test_a_script_gets_only_what_it_uses() -> None:
    assert "local function take(" not in assembly.script("admit")
    assert "function rates()" not in assembly.script("defer")
    assert "local function take(" in assembly.script("settle")


def _shared_files() -> list[str]:
    return [(LUA / f"{file}.lua").read_text("utf-8") for file in ("basis", *assembly.SHARED)]


def _rare_names() -> set[str]:
    return {file.name.removesuffix(".lua") for file in (LUA / "rare").iterdir()}
