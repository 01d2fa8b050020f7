"""``signal-worker dead resend|accept|discard``: what a person decides about dead letters."""

from __future__ import annotations

from dataclasses import dataclass

import click

from worker.cli.common import duration
from worker.cli.decisions import carry_out, opened, options, tell
from worker.cli.letter import ADVICE
from worker.lanes.queue import Act
from worker.lanes.register import Register

_ASK = {
    "resend": "Post {count} again? Each becomes a new order if its earlier attempt did reach the endpoint.",
    "accept": "Call {count} accepted, because the order is there?",
    "discard": "Call {count} over, because no order exists and none is wanted?",
}
_ANSWERS = {
    "gone": "no dead letter (any more): never was one, or somebody else or a late answer decided",
    "taken": "not resent: its order id belongs to another signal by now",
}
_REASONS = {
    "resend": "not on the exchange",
    "accept": "seen on the exchange",
    "discard": "not wanted any more",
}
_HELP = {
    "resend": """Post dead letters again: a new attempt of the same signal, due now.

    Look in the account first. An `unknown` may have become an order, and would become a second one.
    """,
    "accept": """Call dead letters accepted, because you saw the order in the account.

    Their ids stay known for the dedup window.
    """,
    "discard": """Call dead letters over, because no order exists and none is wanted.

    Their ids are free again.
    """,
}


def make(act: Act) -> click.Command:
    """The command for one act; all three take the same arguments."""

    @click.argument("ids", nargs=-1, metavar="[ID]...")
    @click.option("--connector", metavar="NAME", help="All of this connector.")
    @click.option("--reason", type=click.Choice(list(ADVICE)), help="All that ended so.")
    @click.option("--newer", callback=duration, metavar="DURATION", help="All of the last 10m, 2h, …")
    @click.option("--older", callback=duration, metavar="DURATION", help="All from before that.")
    @options
    def command(
        ids: tuple[str, ...],
        connector: str | None,
        reason: str | None,
        newer: int | None,
        older: int | None,
        by: str,
        why: str,
        yes: bool,
        as_json: bool,
    ) -> None:
        lanes, register, settings = opened()
        filters = _Filters(connector, reason, newer, older)
        chosen = _chosen(register, ids, filters, settings.letters_most, act)
        if not chosen:
            click.echo("no dead letters")
            return
        if not yes:
            count = "1 dead letter" if len(chosen) == 1 else f"{len(chosen):,} dead letters"
            click.confirm(_ASK[act].format(count=count), abort=True, err=True)
        results = carry_out(chosen, lambda batch: lanes.resolve(batch, act, by=by, why=why), settings)
        tell(results, act, "dead letters", _ANSWERS, as_json=as_json)

    command.__doc__ = f"""{_HELP[act]}
    \b
    Examples:
      signal-worker dead {act} 4f0c6f5d2b8e4c1c9c1f0a7e5d3b2a10 --why "{_REASONS[act]}"
      signal-worker dead {act} --connector acct-7 --reason unknown --newer 2h
    """
    short = _HELP[act].splitlines()[0]
    return click.command(act, short_help=short)(command)


@dataclass(frozen=True, slots=True)
class _Filters:
    connector: str | None
    reason: str | None
    newer: int | None
    older: int | None


def _chosen(register: Register, ids: tuple[str, ...], filters: _Filters, most: int, act: Act) -> list[str]:
    filtered = filters != _Filters(None, None, None, None)
    if bool(ids) == filtered:
        raise click.UsageError(
            "Name letters by id, or choose them by --connector, --reason, --newer, --older."
        )
    if ids:
        return list(dict.fromkeys(ids))
    now_ms = register.now_ms()
    found = register.dead(
        most,
        connector=filters.connector,
        reason=filters.reason,
        after_ms=None if filters.newer is None else now_ms - filters.newer,
        before_ms=None if filters.older is None else now_ms - filters.older,
    )
    # Only what is in doubt can turn out to be there, unless it is said which else.
    sure = act != "accept" or filters.reason is not None
    return [letter.id for letter in found if sure or letter.in_doubt]
