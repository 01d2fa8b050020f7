"""Makes the virtual environment that `make` works in. Needs nothing but Python itself.

    python3 demo/bootstrap.py FOLDER demo|dev|bench

Installs the pinned packages of requirements/ and this project into FOLDER; does nothing if that has
been done for the same pins. Says what is wrong in one line.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
HOUSE = Path(__file__).resolve().parent.parent


def main() -> None:
    folder, kind = Path(sys.argv[1]), sys.argv[2]
    if sys.version_info < OLDEST:
        sys.exit(
            f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed, this is {sys.version.split()[0]}:"
            " set PYTHON=… to a newer one"
        )
    # dev holds all that demo does.
    if _installed(folder, kind) or (kind == "demo" and _installed(folder, "dev")):
        return
    pins = _pins(kind)
    print(f"Installing into {folder} (once) …", flush=True)
    if not (folder / "bin" / "python").exists():
        _run(
            [sys.executable, "-m", "venv", str(folder)],
            "cannot make a virtual environment (on Debian: apt-get install python3-venv)",
        )
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    _run(
        # The pins are the whole tree. Left to resolve it again, pip looks for newer releases of what is asked
        # for with an extra (pip issue 9644), and stops as they have no hash here.
        [*pip, "--require-hashes", "--no-deps", "-r", str(pins)],
        "cannot install the pinned packages; is there a network?",
    )
    _run(
        [*pip, "--no-deps", "--no-build-isolation", "--editable", str(HOUSE)],
        "cannot install this project",
    )
    _stamp(folder, kind).write_text(_wanted(kind))


def _pins(kind: str) -> Path:
    return HOUSE / "requirements" / f"{kind}.txt"


def _stamp(folder: Path, kind: str) -> Path:
    return folder / f".installed-{kind}"


def _wanted(kind: str) -> str:
    return hashlib.sha256(_pins(kind).read_bytes() + (HOUSE / "pyproject.toml").read_bytes()).hexdigest()


def _installed(folder: Path, kind: str) -> bool:
    stamp = _stamp(folder, kind)
    return stamp.exists() and stamp.read_text() == _wanted(kind)


def _run(command: list[str], trouble: str) -> None:
    log = HOUSE / ".run" / "install.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("ab") as out:
        code = subprocess.call(command, stdout=out, stderr=subprocess.STDOUT)
    if code:
        sys.exit(f"{trouble} (details: {log.relative_to(HOUSE)})")


if __name__ == "__main__":
    main()
