"""Writes the parts of the documentation that come from the code.

python docs/generate.py            write them
python docs/generate.py --check    fail if they are stale
"""

from __future__ import annotations

import sys
from pathlib import Path

import chart

from worker.contract import schema
from worker.settings import PREFIX, Settings

HOUSE = Path(__file__).resolve().parent.parent
README = HOUSE / "README.md"
SCHEMA = HOUSE / "docs" / "contract.schema.json"
BEGIN, END = "<!-- settings:begin -->", "<!-- settings:end -->"


def main() -> None:
    stale = [
        path for path, text in documents().items() if not path.exists() or path.read_text("utf-8") != text
    ]
    if "--check" in sys.argv:
        sys.exit(f"stale: {', '.join(path.name for path in stale)}; run `make docs`" if stale else 0)
    for path in stale:
        path.write_text(documents()[path], "utf-8")


def documents() -> dict[Path, str]:
    """Every file with generated parts, as it should be."""
    readme = README.read_text("utf-8")
    before, rest = readme.split(BEGIN)
    after = rest.split(END)[1]
    return {
        README: f"{before}{BEGIN}\n{settings_table()}{END}{after}",
        SCHEMA: schema.text(),
        **chart.documents((HOUSE / "docs" / "redis.md").read_text("utf-8")),
    }


def settings_table() -> str:
    """One row per setting, in the order of the code."""
    rows = ["| variable | default | what |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `{PREFIX}{name.upper()}` | {_shown(field.default)} | {field.description} |")
    return "\n".join(rows) + "\n"


def _shown(default: object) -> str:
    if default is None:
        return ""
    return f"`{int(default)}`" if isinstance(default, float) and default.is_integer() else f"`{default}`"


if __name__ == "__main__":
    main()
