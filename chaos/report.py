"""What a run shows at its end: figures if all was well, and the whole story of each broken promise if not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from chaos.check import Case, Violation
from chaos.history import Arrival, Deed, History, Record, Sent

SHOWN = 5
"""Stories told at length; the rest would say the same."""
_AROUND = 8.0
"""Seconds before and after a signal's life in which faults and neighbours matter."""
_NEIGHBOURS = 12


def figures(history: History, *, seed: int, seconds: float, wrong_clock: str) -> dict[str, Any]:
    """The run in numbers, fit for JSON."""
    case = Case(history)
    outcomes = Counter(record.outcome or "none" for record in history.records)
    unknown = [record for record in history.records if record.outcome == "unknown"]
    ends = Counter((one.process.partition("-")[0], one.asked) for one in history.exits)
    deeds = Counter(deed.kind for deed in history.deeds)
    return {
        "seed": seed,
        "seconds": round(seconds, 1),
        "wrong_clock": wrong_clock or None,
        "sent": len(history.sent),
        "never_told": sum(one.status is None for one in history.sent),
        "told": dict(Counter(one.status for one in history.sent if one.status)),
        "signals": len(history.records),
        "posts": len(history.arrivals),
        "posts_again": sum(max(0, len(several) - 1) for several in case.arrivals.values()),
        "outcomes": dict(outcomes.most_common()),
        "unknown_because": dict(Counter(case.cause_of_doubt(one) or "?" for one in unknown).most_common()),
        "sigkills": sum(one.asked in ("kill", "crash") for one in history.exits) + deeds["kill server"],
        "workers_killed": ends["pod", "kill"],
        "workers_crashed_at_a_point": ends["pod", "crash"],
        "senders_killed": ends["sender", "kill"] + ends["sender", "crash"],
        "server_restarts": deeds["kill server"] + deeds["restart server"],
        "pauses": len(history.pauses),
        "dropped_by_person": sum(one.status == "done" for one in history.drops),
        "deeds": dict(sorted(deeds.items())),
    }


def show(console: Console, numbers: dict[str, Any], violations: Sequence[Violation]) -> None:
    """The figures as a table, and the verdict."""
    table = Table(title=f"Chaos, seed {numbers['seed']}", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for name in ("told", "outcomes", "unknown_because", "deeds"):
        numbers = {**numbers, name: ", ".join(f"{count} {what}" for what, count in numbers[name].items())}
    for name, value in numbers.items():
        table.add_row(name.replace("_", " "), escape(str(value or "-")))
    console.print(table)
    if violations:
        kinds = Counter(one.rule for one in violations).most_common()
        told = ", ".join(f"{count} {rule}" for rule, count in kinds)
        console.print(f"[bold red]✗[/] {len(violations)} violations: {told}")
        return
    console.print(
        f"[bold green]✓[/] {numbers['signals']} signals, each with one outcome and that a true one:"
        " none twice, none lost, none early, none out of order, none while it was paused."
    )


def tell(history: History, violations: Sequence[Violation], logs: Iterable[Path]) -> Iterator[str]:
    """The story of the first violations of each rule, line by line."""
    case, lines, told = Case(history), _Logs(logs), Counter[str]()
    for one in violations:
        told[one.rule] += 1
        if told[one.rule] > SHOWN:
            continue
        yield f"✗ {one.rule}: {one.text}"
        if one.id is not None:
            yield from _story(case, one.id, lines)
        yield ""


class _Logs:
    """The lines of all logs that name a signal."""

    def __init__(self, logs: Iterable[Path]) -> None:
        self._logs = list(logs)

    def of(self, id_: str) -> Iterator[str]:
        for log in self._logs:
            for line in log.read_text("utf-8", "replace").splitlines():
                if f'"{id_}"' in line:
                    yield f"{log.stem}: {line}"


def _story(case: Case, id_: str, logs: _Logs) -> Iterator[str]:
    sent, record = case.sent.get(id_), case.records.get(id_)
    if sent:
        yield f"  told      {sent}"
    for one in case.arrivals.get(id_, ()):
        yield f"  arrived   {one}"
    if record:
        yield f"  ledger    {record}"
        yield from (f"  attempt   {line}" for line in record.history)
    for ending in case.endings.get(id_, ()):
        yield f"  ended     {ending}"
    yield from (f"  log       {line}" for line in logs.of(id_))
    times = list(_times(sent, record, case.arrivals.get(id_, [])))
    if not times:
        return
    began, ended = min(times) - _AROUND, max(times) + _AROUND
    for deed in case.deeds_between(began, ended):
        yield f"  fault     {_deed(deed)}"
    connector = sent.connector if sent else record.connector if record else None
    near = [one for one in case.lanes.get(connector or "", ()) if began <= one.began <= ended]
    for one in near[:_NEIGHBOURS]:
        yield f"  neighbour {one}"


def _times(sent: Sent | None, record: Record | None, arrivals: Sequence[Arrival]) -> Iterator[float]:
    if sent:
        yield sent.began
    if record and record.ended_ms:
        yield record.ended_ms / 1000
    yield from (one.began for one in arrivals)


def _deed(deed: Deed) -> str:
    return f"{deed.began:.3f} to {deed.ended:.3f}: {deed.kind} ({deed.target})"
