"""Makes the secrets that docker-compose.yml wants: ``make compose-secrets``. Changes nothing that is there.

Containers run as different users, so the files are readable; the folder around them is only yours.
"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "secrets"


def main() -> None:
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)


def make(folder: Path) -> None:
    """Write the files that are missing."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    if not (folder / "valkey.conf").exists():
        password = secrets.token_hex(24)
        _write(folder / "valkey.conf", f"requirepass {password}\n")
        _write(folder / "settings.env", f"SIGNALS_REDIS_URL=redis://:{password}@valkey:6379/0\n")
    for name, text in {
        "grafana-admin-password": secrets.token_urlsafe(24),
        "accounts.yaml": "accounts: []  # yours, for the profile live: docs/accounts.md\n",
        "api-keys.yaml": "keys: []  # who may use the gateway's /v1\n",
    }.items():
        if not (folder / name).exists():
            _write(folder / name, text)


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o644)


if __name__ == "__main__":
    main()
