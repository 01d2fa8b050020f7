"""``signal-worker drop``."""

from __future__ import annotations

import click

from worker.cli.decisions import carry_out, opened, options, tell
from worker.cli.naming import Named, named

_ANSWERS = {
    "sending": "too late, a worker has it in hand: `signal-worker show` tells how it ends",
    "doubtful": "not dropped: an earlier attempt may have been taken, and dropping it would hide that",
    "gone": "nothing waits under this id: finished, dead (`signal-worker dead show`) or never sent",
}


@click.command()
@named
@options
def command(
    ids: tuple[str, ...],
    connector: str | None,
    order: str | None,
    key: str | None,
    by: str,
    why: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Drop signals that wait, delayed or due: they are not posted, and end as cancelled.

    Their ids are free again. What a worker has in hand is not called back, and what may have reached the
    endpoint is left alone.

    \b
    Examples:
      signal-worker drop 4f0c6f5d2b8e4c1c9c1f0a7e5d3b2a10 --why "sent by mistake"
      signal-worker drop --connector acct-7 --order long-2026-11-22-1 --yes
    """
    lanes, register, settings = opened()
    chosen = Named(ids, connector, order, key).resolve(register)
    if not yes:
        count = "1 signal" if len(chosen) == 1 else f"{len(chosen):,} signals"
        click.confirm(f"Drop {count}, not to be posted any more?", abort=True, err=True)
    results = carry_out(chosen, lambda batch: lanes.drop(batch, by=by, why=why), settings)
    tell(results, "drop", "signals", _ANSWERS, as_json=as_json)
