"""What the proofs with a container engine share: they call programs, wait, and say what they see.

By environment:

    ENGINE    the engine's command; default: docker
    BASE      the base image, if not the Dockerfile's: one with Python 3.11 or newer and its venv
    PIP_CONF  a pip.conf for the build: packages from a mirror
    IMAGE     an image to try that is built already
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

HOUSE = Path(__file__).resolve().parents[1]


class NotSo(Exception):
    """What was to be seen was not."""


class Program:
    """A command to which words are added, such as the engine's."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)

    def __call__(self, *words: str, stdin: str | None = None, within: float = 900) -> str:
        """What it prints; raises NotSo if it fails, is not there, or takes longer than ``within`` seconds."""
        asked = f"`{Path(self._command[0]).name} … {shlex.join(words[:8])} …`"
        try:
            done = subprocess.run(
                [*self._command, *words],
                input=stdin,
                capture_output=True,
                text=True,
                check=False,
                timeout=within,
                env=_environment(),
            )
        except FileNotFoundError:
            raise NotSo(f"{self._command[0]} is not installed") from None
        except subprocess.TimeoutExpired:
            raise NotSo(f"{asked} took longer than {within:g} s") from None
        if done.returncode != 0:
            raise NotSo(f"{asked} ended with {done.returncode}: {done.stderr[-1500:]}")
        return done.stdout


def _environment() -> dict[str, str]:
    # What a user set for a stack of theirs is not what is to be proved.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("COMPOSE_")}
    return {**inherited, "DOCKER_BUILDKIT": "1"}


def chosen_engine() -> Program:
    return Program(shlex.split(os.environ.get("ENGINE", "docker")))


def build(docker: Program, image: str, *options: str) -> None:
    options = ("--tag", image, *options)
    if base := os.environ.get("BASE"):
        options += ("--build-arg", f"BASE={base}")
    if conf := os.environ.get("PIP_CONF"):
        options += ("--secret", f"id=pip.conf,src={conf}")
    began = time.monotonic()
    docker("build", *options, str(HOUSE))
    say(f"built in {time.monotonic() - began:.0f} s")


def say(text: str) -> None:
    print(f"  {text}", flush=True)


def see(holds: object, text: str) -> None:
    if not holds:
        raise NotSo(text)
    say(text)


def eventually(look: Callable[[], Any], within: float, what: str) -> Any:
    """The first true thing seen; a NotSo on the way is none yet."""
    end = time.monotonic() + within
    while True:
        try:
            if found := look():
                return found
            problem = ""
        except NotSo as error:
            problem = f"; {error}"
        if time.monotonic() > end:
            raise NotSo(f"not within {within:g} s: {what}{problem}")
        time.sleep(0.3)


def prove(title: str, proof: Callable[[], None]) -> None:
    """Run it under that title; the process ends with 1 at the first thing that is not so."""
    print(f"{title}:", flush=True)
    try:
        proof()
    except NotSo as error:
        sys.exit(f"NOT SO: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped")
    print("All of this was seen.")
