"""What the stack's containers may not do, and who cannot reach them."""

from __future__ import annotations

import json

from tests.compose.stack import PORTS, Json, Stack, answers, published, service_of
from tests.proof import NotSo, see

CONNECT = "import socket; socket.create_connection(('valkey', 6379), timeout=3)"


def prove(stack: Stack) -> None:
    containers = stack.containers()
    for container in containers:
        _see_restricted(stack, container)
    see(
        containers,
        f"{len(containers)} containers: no root, no capabilities nor a way to any, read-only, memory bounded",
    )
    _prove_secrets(stack, containers)
    _prove_ports(stack, containers)
    see(
        fails(stack, "paper", "python3", "-c", CONNECT)
        and not fails(stack, "gateway", "python3", "-c", CONNECT),
        "Valkey is reached by those who share its network, and by nobody else",
    )


def _see_restricted(stack: Stack, container: Json) -> None:
    """By what the kernel says of it."""
    service, host = service_of(container), container["HostConfig"]
    lines = stack.inside(service, "cat", "/proc/1/status").splitlines()
    status = {name: words.split() for name, _, words in (line.partition(":") for line in lines)}
    mounts = [line.split() for line in stack.inside(service, "cat", "/proc/self/mounts").splitlines()]
    (root,) = [options.split(",") for _, place, _, options, *_ in mounts if place == "/"]
    rights = [status[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")]
    facts = {
        "runs as root": "0" in status["Uid"],
        "has capabilities": any(int(right[0], 16) for right in rights),
        "may gain rights": status["NoNewPrivs"] != ["1"],
        "may write its root": "ro" not in root,
        "is privileged": host["Privileged"] or host["NetworkMode"] == "host" or host["PidMode"] == "host",
        "has no limit of memory": not host["Memory"],
    }
    if wrong := [text for text, so in facts.items() if so]:
        raise NotSo(f"{service} {', '.join(wrong)}")


def fails(stack: Stack, service: str, *command: str) -> bool:
    try:
        stack.inside(service, *command)
    except NotSo:
        return True
    return False


def _prove_secrets(stack: Stack, containers: list[Json]) -> None:
    files = {path.name: path.read_text().strip() for path in stack.secrets.iterdir()}
    secrets = (files["valkey.conf"].split()[1], files["grafana-admin-password"])
    seen = json.dumps(containers) + stack.compose("logs")
    see(not any(secret in seen for secret in secrets), "no password in environments, commands or logs")
    mounts = [one for each in containers for one in each["Mounts"] if "/secrets/" in one["Destination"]]
    see(
        mounts and not any(one["RW"] for one in mounts),
        f"secrets are files, read-only: {len(mounts)} of them mounted",
    )


def _prove_ports(stack: Stack, containers: list[Json]) -> None:
    found = {service_of(one): published(one) for one in containers if published(one)}
    wanted = {service: [("127.0.0.1", str(port))] for service, port in PORTS.items()}
    see(found == wanted, f"published on 127.0.0.1 and nowhere else: {', '.join(map(str, PORTS.values()))}")
    (network,) = json.loads(stack.docker("network", "inspect", f"{stack.name}_watch"))
    outside = network["IPAM"]["Config"][0]["Gateway"]
    reached = [port for port in PORTS.values() if answers(outside, port)]
    see(not reached, "at another address of this machine nobody answers")
    (network,) = json.loads(stack.docker("network", "inspect", f"{stack.name}_queue"))
    see(network["Internal"], "Valkey's network leads nowhere")
