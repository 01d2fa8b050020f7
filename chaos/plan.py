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
    """About how often it happens."""
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
WHOLE = 20.0
"""Seconds from which on a storm has every kind of fault."""
LEAST = {"kill worker": 3, "kill sender": 1, "kill server": 1}
"""What the shortest storm has."""
_STEP, _TRIES = 0.7, 20
"""How a fault whose victims are all busy is put off: by so many seconds, so often."""


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
    are spread over the whole storm. One that lasts ``WHOLE`` seconds leaves none out, if somebody is free.
    """
    chance = random.Random(f"plan/{seed}")
    wishes = []
    for name, kind in KINDS.items():
        least = LEAST.get(name, 1 if seconds >= WHOLE else 0)
        count = max(least, int(seconds / kind.every + chance.random()))
        wishes += [(name not in LEAST, (n + chance.random()) * seconds / count, name) for n in range(count)]
    taken: dict[str, list[tuple[float, float]]] = {}
    found = (
        _place(name, at, seconds, targets[KINDS[name].group], taken, chance) for _, at, name in sorted(wishes)
    )
    return sorted(filter(None, found), key=lambda fault: fault.at)


def _place(
    name: str,
    wished: float,
    seconds: float,
    targets: list[str],
    taken: dict[str, list[tuple[float, float]]],
    chance: random.Random,
) -> Fault | None:
    """A fault at about the time it was wished for, whoever is free then; None if nobody is."""
    kind = KINDS[name]
    lasts = chance.uniform(*kind.lasts)
    for step in range(_TRIES):
        at = (wished + step * _STEP) % seconds
        for target in chance.sample(targets, len(targets)):
            stretches = taken.setdefault(target, [])
            ends = at + lasts + kind.rest
            if all(ends <= began or at >= ended for began, ended in stretches):
                stretches.append((at, ends))
                return Fault(round(at, 3), name, target, round(lasts, 3))
    return None
