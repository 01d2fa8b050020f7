"""Writes the parts of the documentation that come from the code.

python docs/generate.py            write them
python docs/generate.py --check    fail if they are stale
"""

from __future__ import annotations

import sys
from pathlib import Path

import chart

from producers.gateway import gauges
from worker.contract import schema
from worker.metrics.catalogue import CATALOGUE, Spec
from worker.settings import PREFIX, Settings

HOUSE = Path(__file__).resolve().parent.parent
README = HOUSE / "README.md"
SCHEMA = HOUSE / "docs" / "contract.schema.json"
METRICS = HOUSE / "docs" / "metrics.md"


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
    return {
        README: _with(README.read_text("utf-8"), "settings", settings_table()),
        METRICS: metrics_page(),
        SCHEMA: schema.text(),
        **chart.documents((HOUSE / "docs" / "redis.md").read_text("utf-8")),
    }


def metrics_page() -> str:
    page = _with(METRICS.read_text("utf-8"), "metrics", metrics_table())
    return _with(page, "gateway-metrics", gateway_metrics_table())


def _with(page: str, name: str, generated: str) -> str:
    """The page with ``generated`` between the marks of this name."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, rest = page.split(begin)
    return f"{before}{begin}\n{generated}{end}{rest.split(end)[1]}"


def settings_table() -> str:
    """One row per setting, in the order of the code."""
    rows = ["| variable | default | what |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `{PREFIX}{name.upper()}` | {_shown(field.default)} | {field.description} |")
    return "\n".join(rows) + "\n"


def metrics_table() -> str:
    """One row per metric of a worker, in the order of the code."""
    rows = ["| metric | type | labels | of | what |", "| --- | --- | --- | --- | --- |"]
    for spec in CATALOGUE.values():
        rows.append(f"| `{spec.name}` | {spec.kind} | {_labels(spec)} | {spec.scope} | {spec.help} |")
    return "\n".join(rows) + "\n"


def gateway_metrics_table() -> str:
    """One row per metric of a gateway, in the order of the code."""
    rows = ["| metric | type | labels | what |", "| --- | --- | --- | --- |"]
    for spec in gauges.CATALOGUE:
        rows.append(f"| `{spec.name}` | {spec.kind} | {_labels(spec)} | {spec.help} |")
    return "\n".join(rows) + "\n"


def _labels(spec: Spec) -> str:
    return ", ".join(f"`{label}`" for label in spec.labels)


def _shown(default: object) -> str:
    if default is None or default == "":
        return "none"
    return f"`{int(default)}`" if isinstance(default, float) and default.is_integer() else f"`{default}`"


if __name__ == "__main__":
    main()
