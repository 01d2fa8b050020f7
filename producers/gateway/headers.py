"""What a request says beside its body."""

from __future__ import annotations

from starlette.types import Scope


class Headers:
    """The headers of a request by their names in lower case; a name that stands twice has its last value.

    Starlette's own view looks through all of them, and decodes, at every question.
    """

    def __init__(self, scope: Scope) -> None:
        self._raw: dict[bytes, bytes] = dict(scope["headers"])

    def get(self, name: str, default: str = "") -> str:
        value = self._raw.get(name.encode())
        return default if value is None else value.decode("latin-1")

    def __contains__(self, name: str) -> bool:
        return name.encode() in self._raw
