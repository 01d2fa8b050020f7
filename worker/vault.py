"""Keeps tokens unreadable in Redis: what a producer seals, a worker with the same keys unseals."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from worker.errors import InvalidSignal, SettingsError, TokenMissing
from worker.watched import Watched

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

MARK = "sealed:"
"""Begins a token that is sealed."""
LONGEST = 111
"""Bytes of a token that fit, sealed, where a token goes."""


def open_vault(path: str | None) -> Vault | None:
    """The vault whose keys are in this file; None without a file. Raises SettingsError."""
    return None if path is None else Vault(path)


class Vault:
    """Seals tokens with the first key of a file and unseals with any: add a new key on top to rotate.

    Fernet of the ``cryptography`` package: AES-128-CBC with HMAC-SHA256. A changed file is read again.
    """

    def __init__(self, path: str) -> None:
        """Raises SettingsError."""
        self.keys: Watched[MultiFernet] = Watched(path, lambda file: (_read(file), ()))

    def seal(self, token: str) -> str:
        """What is kept in Redis instead of a token. Raises InvalidSignal if it is too long."""
        plain = token.encode()
        if len(plain) > LONGEST:
            raise InvalidSignal(f"`connectorToken` is too long to be sealed: at most {LONGEST} bytes")
        return MARK + self.keys.current().encrypt(plain).decode()

    def unseal(self, kept: str) -> str:
        """The token. Raises TokenMissing if no key fits."""
        from cryptography.fernet import InvalidToken

        try:
            return self.keys.current().decrypt(kept.removeprefix(MARK)).decode()
        except InvalidToken:
            raise TokenMissing("no key of SIGNALS_TOKEN_KEYS_FILE fits its sealed token") from None


def new_key() -> str:
    """A line for the file of keys. Raises SettingsError without the extra ``encryption``."""
    _require()
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def _read(path: Path) -> MultiFernet:
    _require()
    from cryptography.fernet import Fernet, MultiFernet

    try:
        lines = path.read_text().split()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no text"
        raise SettingsError(f"SIGNALS_TOKEN_KEYS_FILE: {path}: {reason}") from None
    try:
        keys = [Fernet(line) for line in lines]
    except ValueError:
        keys = []
    if not keys:
        raise SettingsError(
            f"SIGNALS_TOKEN_KEYS_FILE: {path}: must hold keys of signal-worker new-key, one a line"
        )
    return MultiFernet(keys)


def _require() -> None:
    if find_spec("cryptography") is None:
        raise SettingsError("sealing tokens needs an extra: pip install '.[encryption]' in the checkout")
