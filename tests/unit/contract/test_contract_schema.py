"""The published JSON schema is the one of the code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.unit.contract.contract_samples import ORDER, SYNC
from worker.contract import json_schema
from worker.contract.schema import text

_PUBLISHED = Path(__file__).parents[3] / "docs" / "contract.schema.json"


def test_the_published_schema_is_current() -> None:
    assert _PUBLISHED.read_text(encoding="utf-8") == text()


def test_the_command_prints_the_schema_and_no_warning() -> None:
    command = [sys.executable, "-W", "error", "-m", "worker.contract.schema"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=_PUBLISHED.parents[1])

    assert (done.stdout, done.stderr) == (text(), "")


def test_the_schema_knows_every_field_and_no_other() -> None:
    schema = json.loads(json.dumps(json_schema()))
    shapes = schema["$defs"]

    assert shapes.keys() == {"OrderSignal", "PositionSyncSignal", "EntryOrder", "Position"}
    assert all(shape["additionalProperties"] is False for shape in shapes.values())
    assert shapes["OrderSignal"]["properties"].keys() == ORDER.keys()
    assert shapes["PositionSyncSignal"]["properties"].keys() == SYNC.keys()
    assert shapes["EntryOrder"]["properties"].keys() == SYNC["entryOrder"].keys()
    assert shapes["Position"]["properties"].keys() == SYNC["position"].keys()
