"""How ``signal-worker status`` looks: first what endangers money, then the numbers."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from worker.cli.common import OUTCOME_STYLES, age, block, cell, listing, mark, name_cell, since
from worker.cli.risk import LATE_MS, risks
from worker.lanes.pauses import BY_PERSON, describe
from worker.lanes.views import LaneView, PauseView
from worker.records import Census

_WIDE = 100
_PAUSES = 5
"""Pauses that are shown one by one; a group can have hundreds."""
_OTHER_COLUMNS = 58
_STATES = {
    "leased": ("posting", "green"),
    "rung": ("queued", ""),
    "retry": ("retry", "yellow"),
    "halted": ("held", "magenta"),
    "lost": ("lost", "bold red"),
}


def picture(census: Census, pauses: list[PauseView], lanes: list[LaneView], on: Console) -> Group:
    """The whole page."""
    parts: list[RenderableType] = [_headline(census, on), block(_numbers(census))]
    if pauses:
        parts.append(block(_pauses(census.now_ms, pauses)))
    if lanes:
        parts.append(block(_lanes(census, lanes, on.width)))
    if census.dead:
        parts.append(block(_dead(census)))
    return Group(*parts)


def _headline(census: Census, on: Console) -> Table:
    grid = Table.grid(padding=(0, 1))
    found = risks(census)
    for risk in found:
        text = Text(risk.text, style="bold red" if risk.level == "bad" else "yellow")
        grid.add_row(mark(risk.level, on), text)
        if risk.look:
            grid.add_row("", Text(risk.look, style="dim"))
    if not found:
        grid.add_row(mark("ok", on), Text("nothing is at risk: no dead letters, nothing is late", "green"))
    return grid


def _numbers(census: Census) -> Table:
    late = None if census.oldest_due_ms is None else census.now_ms - census.oldest_due_ms
    next_delayed = since(census.now_ms, census.next_delayed_ms) if census.next_delayed_ms else ""
    rows = {
        "waiting": f"{census.waiting:,} in {census.lanes:,} lanes"
        + (f", the oldest due {since(census.now_ms, census.oldest_due_ms)}" if late is not None else ""),
        "delayed": f"{census.delayed:,}" + (f", the next {next_delayed}" if next_delayed else ""),
        "lanes": f"{census.leased:,} posting, {census.rung:,} queued, {census.halted:,} held back,"
        f" {census.ring_queue:,} rings under way",
        "workers": f"{census.workers:,}{_memory(census)}",
        "so far": _totals(census.totals),
    }
    grid = Table.grid(padding=(0, 2))
    for name, text in rows.items():
        grid.add_row(Text(name, style="dim"), text)
    return grid


def _memory(census: Census) -> str:
    if census.server is None:
        return ""
    used, limit = (f"{size / 2**20:,.0f} MiB" for size in (census.server.memory, census.server.memory_limit))
    return f", Redis uses {used}" + (f" of {limit}" if census.server.memory_limit else "")


def _totals(totals: dict[str, int]) -> str:
    first = ("admitted", "accepted")
    order = [*first, *sorted(name for name in totals if name not in first)]
    return ", ".join(f"{totals[name]:,} {cell(name)}" for name in order if totals.get(name)) or "nothing"


def _pauses(now_ms: int, pauses: list[PauseView]) -> Table:
    title = "Pauses" + (f" (the last {_PAUSES} of {len(pauses):,})" if len(pauses) > _PAUSES else "")
    table = listing("held", "since", "by", "why", title=title)
    for pause in sorted(pauses, key=lambda one: one.since_ms or 0, reverse=True)[:_PAUSES]:
        group = "" if pause.label == BY_PERSON else f" ({pause.label})"
        table.add_row(
            cell(describe(pause.scope) + group, most=48),
            since(now_ms, pause.since_ms),
            cell(pause.by or "?", most=20),
            cell(pause.why),
        )
    return table


def _lanes(census: Census, lanes: list[LaneView], width: int) -> Table:
    columns = ["connector", "waiting", "state", "late", "next", "tries"]
    if width >= _WIDE:
        columns.append("delayed")
    title = f"Lanes that wait the longest ({len(lanes)} of {census.lanes:,})"
    table = listing(*columns, title=title, right=("waiting", "late", "tries", "delayed"))
    for lane in lanes:
        late = None if lane.due_ms is None else census.now_ms - lane.due_ms
        cells = (
            name_cell(lane.connector, min(max(16, width - _OTHER_COLUMNS), 48)),
            Text(f"{lane.waiting:,}"),
            _state(census.now_ms, lane),
            Text(age(late), style="yellow" if late is not None and late > LATE_MS else ""),
            cell(lane.action, most=20),
            Text(str(lane.attempts) if lane.attempts else ""),
            Text(f"{lane.delayed:,}" if lane.delayed else ""),
        )
        table.add_row(*cells[: len(columns)])
    return table


def _state(now_ms: int, lane: LaneView) -> Text:
    if lane.state == "leased" and lane.until_ms is not None and lane.until_ms < now_ms:
        return Text("worker gone", style="bold red")
    word, style = _STATES[lane.state]
    if lane.state == "retry" and lane.until_ms is not None:
        word += f" in {age(lane.until_ms - now_ms)}" if lane.until_ms > now_ms else " is due"
    return Text(word, style=style)


def _dead(census: Census) -> Table:
    table = listing("reason", "signals", "exits", "meaning", title="Dead letters", right=("signals", "exits"))
    for reason, count in sorted(census.dead.items(), key=lambda item: (item[0] != "unknown", -item[1])):
        meaning = _MEANINGS.get(reason, "this release does not know this reason")
        exits = census.dead_exits.get(reason, 0)
        of_them = Text(f"{exits:,}" if exits else "", style="bold red")
        table.add_row(cell(reason, OUTCOME_STYLES.get(reason, "red")), f"{count:,}", of_them, meaning)
    return table


_MEANINGS = {
    "unknown": "may or may not have become an order",
    "rejected": "refused by the endpoint, no order",
    "expired": "too old to be posted, no order",
    "unsent": "never reached the endpoint, no order",
    "invalid": "was not a signal, not posted",
    "uncounted": "in no counter: somebody wrote to Redis",
}
