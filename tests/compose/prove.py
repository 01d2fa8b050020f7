"""Brings the stack of docker-compose.yml up on a real engine and sees it work: ``make compose-proof``.

Needs Docker, and the ports of docker-compose.yml free on 127.0.0.1. Touches no stack of yours, and leaves
nothing but the image. By environment, beside what ``tests/proof.py`` lists:

    COMPOSE   Compose's command; default: the one of the development environment
    STAND_IN  where no registry can be reached: an image with Debian's redis-server, prometheus,
              prometheus-alertmanager and wget, which takes the place of those of a registry. Debian has no
              Grafana server: of Grafana only the files are seen then

Prints what it sees, and ends with 1 at the first thing that is not so.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.compose import closed, live, watching, working
from tests.compose.stack import DEMO, EVERY_PROFILE, KINDS, PORTS, Stack, answers
from tests.proof import NotSo, Program, build, chosen_engine, eventually, prove, say, see

PLACE = Path(__file__).resolve().parent
PACKAGES = ("redis-server", "prometheus", "prometheus-alertmanager")
OTHERS = {"valkey", "prometheus", "alertmanager", "grafana"}


def main() -> None:
    docker = chosen_engine()
    beside_python = Path(sys.executable).with_name("docker-compose")
    compose = shlex.split(os.environ.get("COMPOSE", "")) or [str(beside_python)]
    given = os.environ.get("IMAGE", "")
    image = given or "signal-dispatch:proof"

    def proof() -> None:
        require_free_ports()
        if not given:
            build(docker, image)
        with stood_in(docker, os.environ.get("STAND_IN", "")) as stand_in:
            stack = Stack(docker, compose, image, stand_in)
            with stack.prepared():
                prove_all(stack)

    prove("docker-compose.yml", proof)
    if os.environ.get("STAND_IN"):
        print("Not seen: Grafana's server, and the images of a registry.")


def require_free_ports() -> None:
    for port in PORTS.values():
        if answers("127.0.0.1", port):
            raise NotSo(f"127.0.0.1:{port} is taken: end what listens there; docker compose down?")


@contextmanager
def stood_in(docker: Program, base: str) -> Iterator[str]:
    """The image that stands in for those of a registry; none without a base."""
    if not base:
        yield ""
        return
    image = "signal-dispatch:stand-in"
    docker("build", "--tag", image, "--build-arg", f"BASE={base}", str(PLACE))
    try:
        shown = docker("run", "--rm", image, "dpkg-query", "--show", *PACKAGES)
        versions = [" ".join(line.split()) for line in shown.splitlines()]
        say(f"in place of images of a registry, Debian's: {', '.join(versions)}")
        say("left out: Grafana, of which Debian has no server; an idle container has its place")
        yield image
    finally:
        docker("rmi", image)


def prove_all(stack: Stack) -> None:
    if not stack.stand_in:
        stack.pull()
    stack.up()
    services = stack.compose("ps", "--services").split()
    see(set(services) == {*DEMO, *OTHERS}, f"up and healthy: {', '.join(sorted(services))}")
    closed.prove(stack)
    working.prove_traffic(stack)
    watching.prove(stack)
    working.prove_scaling(stack)
    working.prove_books(stack)
    working.prove_restart(stack)
    prove_memory(stack)
    stack.compose("down")
    live.prove(stack)
    stack.compose(*EVERY_PROFILE, "down", "--volumes")
    see(not left(stack), "`--profile '*' down --volumes` leaves no container, no network, no volume")


def prove_memory(stack: Stack) -> None:
    """What was sent already is known when the stack comes back."""
    before = stack.ledger()["totals"]
    stack.compose("down")
    remaining = left(stack)
    see(remaining == {"volumes"}, "`down` leaves nothing but volumes")
    stack.up("worker")
    eventually(lambda: stack.ledger()["totals"] == before, 30, "the ledger is what it was")
    say(f"`up` finds the ledger as it was: {before['admitted']} signals")


def left(stack: Stack) -> set[str]:
    return {kind for kind in KINDS if stack.left(kind)}


if __name__ == "__main__":
    main()
