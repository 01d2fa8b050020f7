"""Writes every feature of the chart as manifests: `python -m tests.helm.write FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from tests.helm.release import FEATURES, Release


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in FEATURES.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump_all(Release(values).objects), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
