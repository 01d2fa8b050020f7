"""The file of API keys: who may send and see which connectors' signals.

A key is 256 random bits, and the file holds its SHA-256. A slow hash (bcrypt, Argon2) is for passwords, which
can be guessed by trying many. Nobody can try 2^256, and a slow hash per request would be a way to stop us.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from worker.accounts import Accounts
from worker.errors import SettingsError

PREFIX = "sgk_"
"""Begins each key, so that a leaked one is recognised."""
EVERYTHING = "*"
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}").fullmatch

Name = Annotated[str, Field(min_length=1, max_length=128)]


class ApiKey(BaseModel):
    """One entry of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    """Shown in logs and in the records of what was dropped."""
    hash: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    connectors: frozenset[Name] = frozenset()
    """Names, or ``*`` for all."""
    groups: frozenset[Name] = frozenset()
    """Groups of the accounts file: these, and their members' connectors."""
    expires: AwareDatetime | None = None
    rate: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)] = 0.0
    """Requests per second, and signals per second; 0: no limit."""
    hmac_secret: SecretStr | None = Field(None, min_length=16)
    """Requests must be signed with it. In the file: ``${VARIABLE}``, or ``hmac_secret_file`` with a path."""

    def is_over(self, now: datetime) -> bool:
        return self.expires is not None and now >= self.expires

    def covers(self, connector: str, accounts: Accounts | None) -> bool:
        """Whether signals of this connector may be sent and seen."""
        if EVERYTHING in self.connectors or connector in self.connectors:
            return True
        account = accounts.get(connector) if accounts and self.groups else None
        return account is not None and not self.groups.isdisjoint(account.groups)

    def covers_group(self, group: str) -> bool:
        return EVERYTHING in self.connectors or group in self.groups


class ApiKeys:
    """All keys of a file, as they were at one time."""

    def __init__(self, keys: Iterable[ApiKey] = ()) -> None:
        self._keys = {key.hash: key for key in keys}

    def find(self, key: str) -> ApiKey | None:
        """The entry of a key. It is looked up by its hash, so the time that takes tells nothing of keys."""
        return self._keys.get(hash_of(key))


def hash_of(key: str) -> str:
    return "sha256:" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def new_key() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def read_keys(path: Path) -> tuple[ApiKeys, list[Path]]:
    """The keys of a file, and the files it names. Raises SettingsError with one line that holds no secret."""
    beside: list[Path] = []
    found = [_key(path, place, fields, beside) for place, fields in enumerate(_entries(path), start=1)]
    for attribute in ("name", "hash"):
        for value, times in Counter(getattr(key, attribute) for key in found).items():
            if times > 1:
                raise SettingsError(f"{path}: the {attribute} {value} stands {times} times")
    return ApiKeys(found), beside


def _entries(path: Path) -> list[Any]:
    try:
        content = yaml.safe_load(path.read_bytes())  # JSON is YAML
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or 'cannot be read'}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 1})" if mark else ""
        raise SettingsError(f"{path}: neither YAML nor JSON{place}") from None
    entries = content.get("keys") if isinstance(content, dict) and set(content) == {"keys"} else None
    if content == {"keys": None}:
        return []  # nobody yet
    if not isinstance(entries, list):
        raise SettingsError(f"{path}: must be a mapping with nothing but a list of `keys`")
    return entries


def _key(path: Path, place: int, fields: Any, beside: list[Path]) -> ApiKey:
    if not isinstance(fields, dict):
        raise SettingsError(f"{path}: entry {place} must be a mapping with `name` and `hash`")
    try:
        return ApiKey.model_validate(_with_secret(path, fields, beside))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{path}: entry {place}, `{where}`: {first['msg']}") from None
    except _NoSecret as error:
        raise SettingsError(f"{path}: entry {place}, {error}") from None


class _NoSecret(Exception):
    """A key's secret is not where its entry says."""


def _with_secret(path: Path, fields: dict[str, Any], beside: list[Path]) -> dict[str, Any]:
    given = dict(fields)
    file, text = given.pop("hmac_secret_file", None), given.get("hmac_secret")
    if file is not None:
        if text is not None:
            raise _NoSecret("`hmac_secret` and `hmac_secret_file` exclude each other")
        found = path.parent / str(file)
        beside.append(found)
        try:
            given["hmac_secret"] = found.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "no text"
            raise _NoSecret(f"`hmac_secret_file`: {found}: {reason}") from None
    elif text is not None:
        variable = _VARIABLE(str(text))
        if variable is None:
            raise _NoSecret("`hmac_secret` must be ${VARIABLE}: the file should not hold secrets")
        given["hmac_secret"] = os.environ.get(variable[1])
        if not given["hmac_secret"]:
            raise _NoSecret(f"`hmac_secret`: the environment has no {variable[1]}")
    return given


def now() -> datetime:
    return datetime.now(UTC)
