"""What the demo shows at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from demo.judge import Line

STYLES = {
    "accepted": "green",
    "duplicate": "cyan",
    "cancelled": "cyan",
    "conflict": "yellow",
    "invalid": "yellow",
    "rejected": "yellow",
    "unknown": "bold red",
}
PLAIN = {
    "openLong",
    "openShort",
    "closeLong",
    "closeShort",
    "buy",
    "sell",
    "scale in",
    "take half",
    "delayed buy",
}


def show(console: Console, lines: Sequence[Line], faults: Sequence[str], *, everything: bool) -> None:
    """Print the accounts, the special cases (or all signals), and the verdict."""
    console.print(_accounts(lines))
    shown = [line for line in lines if everything or line.faults or line.sent.step.case not in PLAIN]
    console.print(_signals(shown, "Every signal" if everything else "What else can happen to a signal"))
    bad = [*faults, *(f"{line.sent.step.case}: {fault}" for line in lines for fault in line.faults)]
    if bad:
        for fault in bad:
            console.print(f"[bold red]✗[/] {escape(fault)}")
        return
    console.print(
        f"[bold green]✓[/] {len(lines)} signals, each as it should be: none twice, none missing,"
        " every account's in order, none early."
    )


def _accounts(lines: Sequence[Line]) -> Table:
    table = Table(title="Accounts", title_justify="left", header_style="bold")
    table.add_column("account")
    for name in ("sent", "arrived", "accepted", "tried again", "refused", "other"):
        table.add_column(name, justify="right")
    for account in sorted({line.sent.step.connector for line in lines}):
        own = [line for line in lines if line.sent.step.connector == account]
        ends = Counter(line.outcome for line in own)
        refused = sum(line.sent.status in ("duplicate", "conflict", "invalid") for line in own)
        other = ", ".join(
            f"[{STYLES.get(end or '', 'white')}]{count} {end}[/]"
            for end, count in ends.items()
            if end not in (None, "accepted")
        )
        table.add_row(
            escape(account),
            str(len(own)),
            str(sum(len(line.arrivals) for line in own)),
            str(ends["accepted"]),
            str(sum(max(0, len(line.arrivals) - 1) for line in own) or ""),
            str(refused or ""),
            other,
        )
    return table


def _signals(lines: Sequence[Line], title: str) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold")
    for name in ("case", "account", "action", "sender was told", "arrived", "ended", ""):
        table.add_column(name, justify="right" if name == "arrived" else "left")
    for line in lines:
        step = line.sent.step
        action = str(step.signal.get("action", "position sync"))
        outcome = line.outcome or "—"
        table.add_row(
            escape(step.case),
            escape(step.connector),
            escape(action),
            f"[{STYLES.get(line.sent.status, 'white')}]{line.sent.status}[/]",
            str(len(line.arrivals) or "—"),
            f"[{STYLES.get(outcome, 'white')}]{outcome}[/]",
            "[bold red]✗[/]" if line.faults else "[green]✓[/]",
        )
    return table
