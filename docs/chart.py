"""The generated parts of the Helm chart: schema and table of values, defaults of settings, users of Redis.

`helm/values.yaml` is the source. A comment `# -- …` before a value describes it; `# @schema {…}` says more of
it than the type of its default does, as JSON Schema (`{"type": "object"}` takes any map). The thresholds of
alerts come into it from `monitoring/values.yaml`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from worker.settings import Settings

CHART = Path(__file__).resolve().parent.parent / "helm"
BEGIN, END = "<!-- values:begin -->", "<!-- values:end -->"
ELSEWHERE = {
    "redis_url": "redis.existingSecret",
    "accounts_file": "accounts",
    "token_keys_file": "tokenKeys",
    "api_keys_file": "apiKeys",
    "endpoint_ca_file": "endpointCA",
    "metrics_host": "",
    "metrics_port": "",
    "gateway_host": "",
    "gateway_port": "",
    "gateway_metrics_port": "",
    "gateway_path_secret": "gateway.pathSecret",
}
"""Settings that values of their own, or the chart itself, give to the processes."""
THRESHOLDS = CHART.parent / "monitoring" / "values.yaml"
_INDENT = " " * 4
_HEAD = re.compile(r"^# (?!-- )")
_CONSTRAINTS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "pattern", "enum")
_LEAF = re.compile(r"^( *)([A-Za-z][\w-]*):(.*)$")
_USER = re.compile(r"^ACL SETUSER (signals-(\w+)) on >PASSWORD (.*)$", re.M)


@dataclass(frozen=True, slots=True)
class Value:
    """One key of values.yaml, with what the comments before it say."""

    path: tuple[str, ...]
    default: Any
    text: str
    narrowed: dict[str, Any]

    @property
    def is_section(self) -> bool:
        return isinstance(self.default, dict) and bool(self.default) and not self.narrowed


def documents(redis_page: str) -> dict[Path, str]:
    """Every generated file of the chart, as it should be."""
    readme = CHART / "README.md"
    before, rest = readme.read_text("utf-8").split(BEGIN)
    text = with_thresholds((CHART / "values.yaml").read_text("utf-8"))
    values = list(read_values(text))
    return {
        CHART / "values.yaml": text,
        readme: f"{before}{BEGIN}\n{table(values)}{END}{rest.split(END)[1]}",
        CHART / "values.schema.json": _pretty(schema(values)),
        CHART / "files" / "settings.json": _pretty(defaults()),
        CHART / "files" / "users.acl": users(redis_page),
    }


def with_thresholds(text: str) -> str:
    """The text of values.yaml with the thresholds of the alerts."""
    lines = (line for line in THRESHOLDS.read_text("utf-8").splitlines() if not _HEAD.match(line))
    before, rest = text.split(f"{_INDENT}# thresholds:begin\n")
    after = rest.split(f"{_INDENT}# thresholds:end\n")[1]
    part = "".join(f"{_INDENT}{line}\n" for line in lines)
    return f"{before}{_INDENT}# thresholds:begin\n{part}{_INDENT}# thresholds:end\n{after}"


def read_values(text: str) -> Iterator[Value]:
    """Every key of the file in its order, sections before what they hold."""
    tree = yaml.safe_load(text)
    path: list[str] = []
    inside: int | None = None
    said: list[str] = []
    narrowed: dict[str, Any] = {}
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# @schema "):
            words = stripped.removeprefix("# @schema ")
            narrowed = {"$settings": True} if words == "settings" else json.loads(words)
        elif stripped.startswith("# -- "):
            said = [stripped.removeprefix("# -- ")]
        elif stripped.startswith("# ") and said:
            said.append(stripped.removeprefix("# "))
        elif match := _LEAF.match(line):
            depth = len(match[1]) // 2
            if inside is None or depth <= inside:
                path = [*path[:depth], match[2]]
                value = Value(tuple(path), _at(tree, path), " ".join(said), narrowed)
                inside = None if value.is_section else depth
                yield value
            said, narrowed = [], {}
        else:
            said, narrowed = [], {}


def schema(values: list[Value]) -> dict[str, Any]:
    """JSON Schema of the values: what values.yaml does not know is refused."""
    root = _closed("http://json-schema.org/draft-07/schema#")
    for value in values:
        holder = root
        for name in value.path[:-1]:
            holder = holder["properties"][name]
        holder["properties"].setdefault(value.path[-1], _schema_of(value))
        # `worker: null` would take it away, and `--reuse-values` leaves out what is new.
        if value.default or "$settings" in value.narrowed:
            holder.setdefault("required", []).append(value.path[-1])
    return root


def settings_schema() -> dict[str, Any]:
    """The schema of `settings`, from the model: its names in camelCase."""
    found = _closed()
    for name, field in Settings.model_json_schema()["properties"].items():
        if name not in ELSEWHERE:
            found["properties"][camel(name)] = _portable(field)
    return found


def defaults() -> dict[str, Any]:
    """What holds for a setting that is not in the values."""
    fields = Settings.model_json_schema()["properties"]
    return {camel(name): field.get("default") for name, field in fields.items() if name not in ELSEWHERE}


def users(page: str) -> str:
    """The bundled server's users: the lines of docs/redis.md, with places for hashes of passwords."""
    lines = ["user default off", "user probe on nopass -@all +ping", "user admin on #@admin@ ~* &* +@all"]
    for name, role, rights in _USER.findall(page):
        wait = "" if role == "reader" else " @wait@"
        lines.append(f"user {name} on #@{role}@ {rights}{wait}")
    return "\n".join(lines) + "\n"


def table(values: list[Value]) -> str:
    """One row per value that is no section."""
    rows = ["| value | default | what |", "| --- | --- | --- |"]
    for value in values:
        if not value.is_section:
            text = value.text.replace("|", "\\|")
            rows.append(f"| `{'.'.join(value.path)}` | `{_shown(value.default)}` | {text} |")
    return "\n".join(rows) + "\n"


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _schema_of(value: Value) -> dict[str, Any]:
    described: dict[str, Any] = {"description": value.text} if value.text else {}
    if value.narrowed.get("$settings"):
        return {**described, **settings_schema()}
    if value.is_section:
        return {**described, **_closed()}
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    inferred = {} if value.default is None else {"type": kinds[type(value.default)]}
    if "thresholds" in value.path:
        inferred = {"type": "number"}  # one of 30 may become one of 7.5
    return {**described, **inferred, **value.narrowed}


def _portable(field: dict[str, Any]) -> dict[str, Any]:
    """What Helm's validator understands too: Go's regular expressions cannot look ahead."""
    found = {"description": field["description"]} | {
        name: field[name] for name in _CONSTRAINTS if name in field
    }
    if "type" in field:
        return found | {"type": field["type"]}
    kinds = [one["type"] for one in field["anyOf"] if one["type"] != "null"]
    bounds = {name: one[name] for one in field["anyOf"] for name in _CONSTRAINTS[:4] if name in one}
    return found | bounds | {"type": kinds[0] if len(kinds) == 1 else kinds}


def _closed(dialect: str | None = None) -> dict[str, Any]:
    head = {"$schema": dialect} if dialect else {}
    return {**head, "type": "object", "additionalProperties": False, "properties": {}}


def _at(tree: Any, path: list[str]) -> Any:
    for name in path:
        tree = tree[name]
    return tree


def _shown(default: Any) -> str:
    return json.dumps(default, ensure_ascii=False).replace("|", "\\|")


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
