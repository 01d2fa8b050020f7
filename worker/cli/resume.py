"""``signal-worker resume``."""

from __future__ import annotations

import click

from worker.cli.brakes import chosen, in_words, options
from worker.cli.common import bell, emit, json_option
from worker.cli.decisions import opened
from worker.lanes.pauses import scopes


@click.command()
@click.option("--entries", is_flag=True, help="Only what `pause --entries` holds.")
@click.option("--everything", is_flag=True, help="Take off every pause there is.")
@options
@json_option
def command(
    connectors: tuple[str, ...],
    group: str | None,
    entries: bool,
    everything: bool,
    by: str,
    why: str,
    as_json: bool,
) -> None:
    """Let signals go on that `signal-worker pause` holds back.

    Without options it takes off the pauses of all connectors together, whether of everything or of entries;
    pauses of single connectors stay, and are shown.

    \b
    Examples:
      signal-worker resume
      signal-worker resume --connector acct-7
      signal-worker resume --everything
    """
    if everything and (connectors or group or entries):
        raise click.UsageError("--everything goes with none of --connector, --group and --entries")
    lanes, register, settings = opened()
    before = register.census().pauses
    if everything:
        held = list(before)
        labels = {label for reasons in before.values() for label in reasons}
    else:
        names, label = chosen(connectors, group, settings)
        labels = {label}
        kinds = (True,) if entries else (False, True)
        wanted = [scope for kind in kinds for scope in scopes(names, entries_only=kind)]
        held = [scope for scope in wanted if label in before.get(scope, ())]
    for label in sorted(labels):
        answer = lanes.resume(held, label=label, by=by, why=why)
        if answer.slots_ms:
            bell(settings).wake(answer.slots_ms, answer.now_ms)  # should it be lost, a sweep does it
    after = register.census().pauses
    resumed = [scope for scope in held if scope not in after]
    if as_json:
        emit({"resumed": resumed, "still_paused": sorted(after)})
        return
    click.echo(f"resumed: {in_words(resumed)}")
    if after:
        click.echo(f"still paused: {in_words(after)}")
