"""One run from start to verdict."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.check import Violation, check
from chaos.evidence import gather
from chaos.history import History, Limits
from chaos.house import House, Size
from chaos.launch import PREFIX
from chaos.operator import Operator
from chaos.plan import ENDPOINT, SERVER, plan
from chaos.report import figures
from chaos.storm import Eavesdropper, Storm, Watch
from chaos.traffic import connectors

WORKED_OFF_WITHIN = 60.0
"""Seconds, and a tenth of the storm, that the house has to work off what was left."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run showed."""

    history: History
    violations: list[Violation]
    numbers: dict[str, Any]
    logs: tuple[Path, ...]


def run(size: Size, folder: Path, watch: Watch) -> Verdict:
    """Build the house, let the storm blow, heal, gather the evidence and judge it.

    ``folder`` is left as it is, with all logs. Raises SignalsError if the parts do not start.
    """
    began, limits = time.monotonic(), Limits()
    with House(size, limits, folder) as house:
        watch("start", 0, 1)
        house.start_workers()
        listener = Eavesdropper(house.server.url)
        storm = Storm(house, watch)
        house.start_senders()
        operator = Operator(house.server.url, size.seed, connectors(), limits)
        targets = {
            "pod": list(house.pods),
            "wire": list(house.wires),
            "sender": list(house.senders),
            SERVER: [SERVER],
            ENDPOINT: [ENDPOINT],
        }
        storm.blow(plan(size.seed, size.seconds, targets))
        operator.stop()
        storm.heal()
        house.stop_senders()
        storm.work_off(WORKED_OFF_WITHIN + size.seconds / 10)
        sick, leaks = house.sick(within=30), list(house.leaks())
        house.stop_workers()
        listener.stop()
        house.endpoint.stop()
        history = gather(
            client=house.client,
            prefix=PREFIX,
            seed=size.seed,
            journals=house.journals(),
            receipts=house.endpoint.receipts,
            deeds=storm.deeds,
            pauses=operator.pauses,
            drops=operator.drops,
            exits=[one for pod in (*house.pods.values(), *house.senders.values()) for one in pod.exits],
            sick=sick,
            leaks=[*leaks, *listener.leaks],
            logs=_logs(folder),
            limits=limits,
        )
        clock = house.wrong_clock
    seconds = time.monotonic() - began
    numbers = figures(history, seed=size.seed, seconds=seconds, wrong_clock=clock)
    return Verdict(history, check(history), numbers, tuple(_logs(folder)))


def _logs(folder: Path) -> Iterator[Path]:
    return iter(sorted(folder.glob("*.log")))
