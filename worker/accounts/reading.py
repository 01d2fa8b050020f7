"""From a YAML or JSON file to accounts, or to everything that is wrong with it at once."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from worker.accounts.book import Accounts
from worker.accounts.model import Account, Entry, Group
from worker.contract.hiding import looks_like_token
from worker.errors import SettingsError

E = TypeVar("E", bound=Entry)
_Fields = dict[str, Any]

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}").fullmatch
_TOKEN_FILE = "token_file"  # noqa: S105 - a field's name
_TOKENS = ("token", _TOKEN_FILE)
_SECTIONS = ("accounts", "groups")


class AccountsError(SettingsError):
    """An accounts file that must not be used. ``problems``: a line for each thing wrong; never a token."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        rest = f" (and {len(problems) - 1} more: see signal-worker check)" if len(problems) > 1 else ""
        super().__init__(f"{path}: {problems[0]}{rest}")
        self.problems = problems


def read_accounts(path: Path) -> tuple[Accounts, list[Path]]:
    """The accounts of a file, and the token files it names. Raises AccountsError."""
    reader = _Reader(path)
    accounts = list(reader.entries("accounts", Account))
    groups = list(reader.entries("groups", Group))
    reader.problems += _contradictions(accounts, groups, reader.rejected)
    if reader.problems:
        raise AccountsError(path, reader.problems)
    return Accounts(accounts, groups), reader.beside


class _Reader:
    """Collects what is wrong instead of stopping at it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.problems: list[str] = []
        self.beside: list[Path] = []
        self.rejected: dict[str, list[_Fields]] = {name: [] for name in _SECTIONS}
        """By section, what is right about entries that are not."""
        self._content = _load(path)
        if "accounts" not in self._content:
            self.problems.append("there is no list of `accounts`")
        for name in self._content:
            if name not in _SECTIONS:
                self.problems.append(f"`{name}`: no such section{_near(str(name), _SECTIONS)}")

    def entries(self, section: str, model: type[E]) -> Iterator[E]:
        """The entries of a section that are right."""
        listed = self._content.get(section) or []
        if not isinstance(listed, list):
            self.problems.append(f"`{section}` must be a list")
            return
        for place, fields in enumerate(listed, start=1):
            if not isinstance(fields, dict):
                self.problems.append(f"{section}, entry {place}: must be a mapping with a `name`")
                continue
            where = f"{section}, entry {place} ({_shown_name(fields)})"
            try:
                yield model.model_validate(self._with_token(fields, where))
            except ValidationError as error:
                self.problems += (f"{where}: {_explained(one, model)}" for one in error.errors())
                self.rejected[section].append(_right(fields, error))

    def _with_token(self, fields: _Fields, where: str) -> _Fields:
        """The entry with its token in place, if that can be had."""
        rest = {name: value for name, value in fields.items() if name not in _TOKENS}
        try:
            return {**rest, "token": self._token(fields)}
        except _NoToken as error:
            self.problems.append(f"{where}: {error}")
            return rest

    def _token(self, fields: _Fields) -> object:
        token, file = fields.get("token"), fields.get(_TOKEN_FILE)
        if file is None:
            return _from_environment(token) if isinstance(token, str) else token
        if token is not None:
            raise _NoToken("`token` and `token_file` exclude each other")
        found = self._path.parent / str(file)
        self.beside.append(found)
        return _from_file(found)


class _NoToken(Exception):
    """An entry's token is not where the entry says."""


def _from_environment(token: str) -> str:
    variable = _VARIABLE(token)
    if variable is None:
        if "${" in token:
            raise _NoToken("`token`: a variable must be all of it: ${NAME}")
        return token
    value = os.environ.get(variable[1])
    if not value:
        raise _NoToken(f"`token`: the environment has no {variable[1]}")
    return value


def _from_file(path: Path) -> str:
    try:
        token = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no text"
        raise _NoToken(f"`token_file`: {path}: {reason}") from None
    if not token:
        raise _NoToken(f"`token_file`: {path}: it is empty")
    return token


def _load(path: Path) -> _Fields:
    try:
        content = path.read_bytes()
        data = _json(content) if path.suffix == ".json" else yaml.load(content, _Loader)  # noqa: S506 - a safe one
    except OSError as error:
        raise AccountsError(path, [error.strerror or "cannot be read"]) from None
    except yaml.YAMLError as error:
        raise AccountsError(path, [f"no YAML: {_yaml_problem(error)}"]) from None
    except (ValueError, RecursionError) as error:
        # Of a JSON error the place alone: its text may not quote, but others' do.
        place = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise AccountsError(path, [f"no JSON: {place}"]) from None
    if not isinstance(data, dict):
        raise AccountsError(path, ["must be a mapping with a list of `accounts`"])
    return data


def _json(content: bytes) -> Any:
    return json.loads(content, object_pairs_hook=_once)


def _once(pairs: list[tuple[Any, Any]]) -> _Fields:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        (twice, _), *_rest = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"`{twice}` stands twice in one entry")
    return fields


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML's safe subset, each name once."""

    def mapping(self, node: Any) -> _Fields:
        try:
            return _once(self.construct_pairs(node))
        except (ValueError, TypeError) as error:
            raise yaml.MarkedYAMLError(problem=str(error), problem_mark=node.start_mark) from None


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _Loader.mapping)


def _yaml_problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}: " if mark else ""
    return f"{place}{getattr(error, 'problem', None) or 'it cannot be read'}"


def _right(fields: _Fields, error: ValidationError) -> _Fields:
    """The fields that are not what is wrong with the entry."""
    wrong = {one["loc"][0] for one in error.errors() if one["loc"]}
    return {name: value for name, value in fields.items() if name not in wrong}


def _contradictions(
    accounts: list[Account], groups: list[Group], rejected: Mapping[str, list[_Fields]]
) -> Iterator[str]:
    names = {
        section: Counter([entry.name for entry in entries] + _said(rejected[section], "name"))
        for section, entries in (("accounts", accounts), ("groups", groups))
    }
    for section, counted in names.items():
        for name, times in counted.items():
            if times > 1:
                yield f"{section}: `{name}` stands {times} times"
    memberships = [account.groups for account in accounts] + _said(rejected["accounts"], "groups")
    members = {group for groups_of_one in memberships for group in groups_of_one}
    for name in names["groups"]:
        if name not in members:
            yield f"groups: no account is in `{name}`{_near(name, members)}"


def _said(entries: list[_Fields], field: str) -> list[Any]:
    return [fields[field] for fields in entries if field in fields]


def _explained(error: Mapping[str, Any], model: type[Entry]) -> str:
    field = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"`{field}`: no such field{_near(field, [*model.model_fields, _TOKEN_FILE])}"
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"`{field}`: {message[0].lower()}{message[1:]}" if field else message


def _near(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def _shown_name(fields: _Fields) -> str:
    name = fields.get("name")
    # A token that slipped into the name must not be printed.
    if not isinstance(name, str) or looks_like_token(name) or not name.isprintable():
        return "its name is not valid"
    return name[:60]
