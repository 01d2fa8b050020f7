"""``signal-worker resume``."""

from __future__ import annotations

import click

from worker.cli.brakes import in_words, opened, options
from worker.cli.common import emit, json_option
from worker.lanes.pauses import BY_PERSON, scopes


@click.command()
@click.option("--connector", "connectors", multiple=True, metavar="NAME", help="Only this one; repeatable.")
@click.option("--entries", is_flag=True, help="Only what `pause --entries` holds.")
@click.option("--everything", is_flag=True, help="Take off every pause there is.")
@options
@json_option
def command(
    connectors: tuple[str, ...], entries: bool, everything: bool, by: str, why: str, as_json: bool
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
    if everything and (connectors or entries):
        raise click.UsageError("--everything goes with neither --connector nor --entries")
    lanes, register, settings = opened()
    before = register.census().pauses
    if everything:
        wanted = list(before)
    else:
        kinds = (True,) if entries else (False, True)
        wanted = [scope for kind in kinds for scope in scopes(connectors, entries_only=kind)]
    held = [scope for scope in wanted if scope in before]
    labels = {label for scope in held for label in before[scope]} if everything else {BY_PERSON}
    for label in sorted(labels):
        answer = lanes.resume(held, label=label, by=by, why=why)
        if answer.slots_ms:
            from worker.rings import CeleryBell, make_app  # Celery takes half a second to import

            # Should it be lost, a sweep does the same.
            CeleryBell(make_app(settings.redis_url, settings.prefix, horizon=settings.horizon)).wake(
                answer.slots_ms, answer.now_ms
            )
    after = register.census().pauses
    resumed = [scope for scope in held if scope not in after]
    if as_json:
        emit({"resumed": resumed, "still_paused": sorted(after)})
        return
    click.echo(f"resumed: {in_words(resumed)}")
    if after:
        click.echo(f"still paused: {in_words(after)}")
