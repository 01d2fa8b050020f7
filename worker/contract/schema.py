"""``python -m worker.contract.schema`` prints the JSON schema kept in ``docs/contract.schema.json``."""

from __future__ import annotations

import json
import sys

from worker.contract.description import json_schema


def text() -> str:
    """The schema as it stands in the file: sorted, indented, with a final newline."""
    return json.dumps(json_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
