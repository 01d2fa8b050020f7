"""A release of the chart as real Helm renders it, and what its pods would see."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from helm_python import Chart, HelmError

CHART = Path(__file__).parents[2] / "helm"
FEATURES = {
    path.name.removesuffix("-values.yaml"): yaml.safe_load(path.read_text("utf-8"))
    for path in sorted((CHART / "ci").glob("*-values.yaml"))
}
"""The values of each feature."""
REDIS: dict[str, Any] = {"redis": {"existingSecret": "signals-redis"}}
"""The least that a release needs."""
BUNDLED: dict[str, Any] = {"valkey": {"enabled": True}}


_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@functools.cache
def _rendered(values: str, chart: Path) -> dict[str, str]:
    with Chart.load(chart) as loaded:
        return loaded.render(json.loads(values), name="desk", namespace="trading")


class Release:
    """What `helm install desk` in the namespace `trading` would make. Raises HelmError."""

    def __init__(self, values: Mapping[str, Any], *, chart: Path = CHART) -> None:
        files = _rendered(json.dumps(values), chart)
        self.notes = next(text for path, text in files.items() if path.endswith("NOTES.txt"))
        self.objects: list[dict[str, Any]] = [
            one
            for path, text in files.items()
            if path.endswith(".yaml")
            for one in yaml.load_all(text, _Loader)
            if one is not None
        ]

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.objects if one["kind"] == kind]

    def get(self, kind: str, component: str) -> dict[str, Any]:
        """The one of this kind whose name ends so."""
        (found,) = [one for one in self.all(kind) if one["metadata"]["name"].endswith(f"-{component}")]
        return found

    def has(self, kind: str, component: str) -> bool:
        return any(one["metadata"]["name"].endswith(f"-{component}") for one in self.all(kind))

    def pods(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Kind of the owner, and spec, of each pod."""
        for one in self.objects:
            if one["kind"] in ("Deployment", "StatefulSet"):
                yield one["kind"], one["spec"]["template"]["spec"]
            elif one["kind"] == "Pod":
                yield "Pod", one["spec"]

    def pod(self, component: str) -> dict[str, Any]:
        kind = {"valkey": "StatefulSet", "test": "Pod"}.get(component, "Deployment")
        found = self.get(kind, component)
        spec: dict[str, Any] = found["spec"] if kind == "Pod" else found["spec"]["template"]["spec"]
        return spec

    def container(self, component: str) -> dict[str, Any]:
        (found,) = self.pod(component)["containers"]
        assert isinstance(found, dict)
        return found

    def environment(
        self, component: str, secrets: Mapping[str, Mapping[str, str]] | None = None
    ) -> dict[str, str]:
        """The variables of its container, as a kubelet would make them.

        ``secrets`` holds those that are not of the release; of others a key is worth ``<name>/<key>``.
        """
        container = self.container(component)
        found: dict[str, str] = {}
        for source in container.get("envFrom", ()):
            if "configMapRef" in source:
                (data,) = [
                    one["data"]
                    for one in self.all("ConfigMap")
                    if one["metadata"]["name"] == source["configMapRef"]["name"]
                ]
                found |= data
            else:
                found |= (secrets or {}).get(source["secretRef"]["name"], {})
        for variable in container.get("env", ()):
            found[variable["name"]] = self._value(variable, found, secrets or {})
        return found

    def secret(self, name: str) -> dict[str, str]:
        """What is in a Secret of the release; nothing if it has none of this name."""
        for one in self.all("Secret"):
            if one["metadata"]["name"] == name:
                coded = one.get("data", {}).items()
                return one.get("stringData", {}) | {
                    key: base64.b64decode(text).decode() for key, text in coded
                }
        return {}

    def _value(
        self, variable: dict[str, Any], earlier: Mapping[str, str], secrets: Mapping[str, Mapping[str, str]]
    ) -> str:
        if "value" in variable:
            text = str(variable["value"])
            for name, value in earlier.items():
                text = text.replace(f"$({name})", value)
            return text
        source = variable["valueFrom"]["secretKeyRef"]
        name, key = source["name"], source["key"]
        own = self.secret(name) or secrets.get(name, {})
        return own.get(key, f"{name}/{key}")


def refusal(values: Mapping[str, Any]) -> str:
    """Why Helm does not install with these values."""
    try:
        Release(values)
    except HelmError as error:
        return str(error)
    raise AssertionError(f"was not refused: {values}")


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Values over values, as several files of them."""
    found: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            both = isinstance(value, dict) and isinstance(found.get(name), dict)
            found[name] = merged(found[name], value) if both else value
    return found
