"""How one dead letter is shown, and what each reason asks of a person."""

from __future__ import annotations

import json

from rich.console import Console
from rich.table import Table
from rich.text import Text

from worker.cli.common import block, cell, mark
from worker.cli.trace import attempts, facts, standing
from worker.lanes.views import DeadLetter, SignalView

ADVICE = {
    "unknown": "Look in the account whether the order is there, for it may or may not have been placed; "
    "then `dead accept`, `dead resend` or `dead discard` it.",
    "rejected": "No order was placed: correct what the endpoint refused (token, size, price) "
    "and send a new signal if it is still wanted; its id is free again.",
    "expired": "No order was placed, it waited too long: find out what held it up, and `dead resend` it "
    "if the trade is still wanted.",
    "unsent": "No order was placed, the endpoint never took it: once it answers again, `dead resend` it "
    "if the trade is still wanted.",
    "invalid": "Nothing was posted, for it was no valid signal: find out who wrote it to Redis or which "
    "setting refuses it, and send a correct one.",
}
"""What to do about a dead letter, in one sentence per reason."""

_IN_DOUBT = (
    "An earlier attempt may have reached the endpoint: look in the account whether the order is there "
    "before anything is sent again."
)
_UNHEARD_OF = (
    "This release does not know this reason: look in the account whether the order is there, and with a "
    "newer release."
)


def advice(signal: SignalView) -> str:
    """What a person should do about it."""
    return (
        _IN_DOUBT
        if signal.in_doubt and signal.outcome != "unknown"
        else ADVICE.get(signal.outcome, _UNHEARD_OF)
    )


def print_letter(letter: DeadLetter, now_ms: int, out: Console) -> None:
    """Print all about it."""
    out.print(_heading(letter.signal, out))
    out.print(facts(letter.signal, now_ms), soft_wrap=False)
    if letter.history:
        out.print(block(attempts(letter.history)))
    out.print(block(_body(letter)))
    out.print()


def _heading(signal: SignalView, out: Console) -> Table:
    grid = Table.grid(padding=(0, 1))
    title = Text.assemble(cell(signal.id, "bold"), "  ", standing(signal))
    grid.add_row(mark("bad" if signal.in_doubt else "warn", out), title)
    grid.add_row("", Text(advice(signal), style="bold red" if signal.in_doubt else ""))
    return grid


def _body(letter: DeadLetter) -> Text:
    if letter.body is None:
        size = "is gone" if letter.body_bytes is None else f"has {letter.body_bytes:,} bytes"
        return Text(f"The signal cannot be shown: it {size}.", style="yellow")
    # JSON in ASCII: what would move the cursor stands there as an escape.
    return Text("Signal\n", style="bold").append(json.dumps(letter.body, indent=2), style="not bold")
