"""``python -m monitoring``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from monitoring import rules
from monitoring.connectors import CONNECTORS
from monitoring.internals import INTERNALS
from monitoring.overview import OVERVIEW

CHART = Path(__file__).resolve().parent.parent / "helm"
DASHBOARDS = {"overview": OVERVIEW, "connectors": CONNECTORS, "internals": INTERNALS}


def main() -> None:
    stale = {
        path: text for path, text in files().items() if not path.exists() or path.read_text("utf-8") != text
    }
    if "--check" in sys.argv:
        names = ", ".join(str(path.relative_to(CHART.parent)) for path in stale)
        sys.exit(f"stale: {names}; run `make docs`" if stale else 0)
    for path, text in stale.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def files() -> dict[Path, str]:
    """Every file that is written from here, as it should be."""
    made = {CHART / "rules" / name: text for name, text in (rules.plain() | rules.templates()).items()}
    made[CHART.parent / "monitoring" / "values.yaml"] = rules.values()
    for name, dashboard in DASHBOARDS.items():
        made[CHART / "dashboards" / f"{name}.json"] = json.dumps(dashboard.as_json(), indent=1) + "\n"
    return made


if __name__ == "__main__":
    main()
