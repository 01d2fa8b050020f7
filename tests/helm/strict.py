"""Holds objects against the schemas of Kubernetes and of operators, and refuses fields they do not know."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import kubernetes_validate
from jsonschema import Draft202012Validator, ValidationError
from kubernetes_validate import utils

VERSIONS = ("1.28", "1.31", "1.34", kubernetes_validate.latest_version())
_OPERATORS = {
    schema["properties"]["kind"]["const"]: Draft202012Validator(schema)
    for path in (Path(__file__).parent / "schemas").glob("*.json")
    for schema in [json.loads(path.read_text("utf-8"))]
}
"""By kind: objects that are not of Kubernetes itself."""

# It reads and parses megabytes for each object otherwise.
utils.schema_contents = functools.lru_cache(utils.schema_contents)


def check(one: dict[str, Any], version: str) -> None:
    """Raise ValidationError if a server of this version would not take the object as it is."""
    _check(json.dumps(one), version)


@functools.cache  # most objects are the same with most values
def _check(text: str, version: str) -> None:
    one = json.loads(text)
    if one["kind"] in _OPERATORS:
        _OPERATORS[one["kind"]].validate(one)
    else:
        kubernetes_validate.validate(one, version, strict=True)


__all__ = ["VERSIONS", "ValidationError", "check"]
