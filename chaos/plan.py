"""When which fault happens to whom: the same for the same seed. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass

SERVER, ENDPOINT = "server", "endpoint"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault. Seconds."""

    group: str
    """Whom it can hit: ``pod``, ``wire``, ``sender``, ``server`` or ``endpoint``."""
    every: float
    """About how often it happens; at least once in any run."""
    lasts: tuple[float, float] = (0.0, 0.0)
    rest: float = 0.5
    """How long its victim is left alone afterwards."""


KINDS = {
    "kill worker": Kind("pod", 6, rest=2.0),
    "suspend worker": Kind("pod", 10, (0.2, 1.5)),
    "suspend worker for longer than its lease": Kind("pod", 30, (6.5, 8.0)),
    "stop worker": Kind("pod", 16, rest=2.0),
    "roll worker": Kind("pod", 20, rest=4.0),
    "kill sender": Kind("sender", 10, rest=1.0),
    "kill server": Kind(SERVER, 15, (0.1, 2.0), rest=1.0),
    "restart server": Kind(SERVER, 45, (0.1, 1.0), rest=1.0),
    "suspend server": Kind(SERVER, 15, (0.3, 2.5)),
    "pause clients": Kind(SERVER, 30, (0.3, 1.5)),
    "drop clients": Kind(SERVER, 25),
    "full memory": Kind(SERVER, 20, (0.5, 2.0)),
    "cut wire": Kind("wire", 8),
    "freeze wire": Kind("wire", 15, (0.3, 4.0)),
    "freeze wire for longer than a lease": Kind("wire", 60, (6.5, 8.0)),
    "lossy wire": Kind("wire", 10, (1.0, 4.0)),
    "slow wire": Kind("wire", 15, (1.0, 4.0)),
    "endpoint down": Kind(ENDPOINT, 20, (0.2, 1.5), rest=1.0),
    "endpoint overloaded": Kind(ENDPOINT, 20, (0.5, 2.0), rest=1.0),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Seconds from the start of the storm."""

    at: float
    kind: str
    target: str
    lasts: float = 0.0


def plan(seed: int, seconds: float, targets: dict[str, list[str]]) -> list[Fault]:
    """Faults in order of time; ``targets`` are the names of each group's members.

    No two of them hit the same victim at once: what follows from one fault should be seen. A kind's faults
    are spread over the whole storm, so that no seed leaves one out.
    """
    chance = random.Random(f"plan/{seed}")
    wishes = []
    for name, kind in KINDS.items():
        count = max(3 if name == "kill worker" else 1, round(seconds / kind.every))
        wishes += [((n + chance.random()) * seconds / count, name) for n in range(count)]
    free_at: dict[str, float] = {}
    faults = []
    for at, name in sorted(wishes):
        kind = KINDS[name]
        ready = sorted(targets[kind.group], key=lambda one: (free_at.get(one, 0.0) > at, chance.random()))
        target = ready[0]
        begins = max(at, free_at.get(target, 0.0))
        if begins >= seconds:
            continue
        lasts = chance.uniform(*kind.lasts)
        free_at[target] = begins + lasts + kind.rest
        faults.append(Fault(round(begins, 3), name, target, round(lasts, 3)))
    return sorted(faults, key=lambda fault: fault.at)
