"""``signal-worker paper``."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import Any

import click

from worker.errors import SettingsError
from worker.paper import Mischief, PaperServer


def _latency(_ctx: click.Context, _param: click.Parameter, value: str) -> tuple[float, float]:
    least, colon, most = value.partition(":")
    try:
        found = float(least), float(most if colon else least)
    except ValueError:
        found = -1.0, -1.0
    if not 0 <= found[0] <= found[1] <= 3600:
        raise click.BadParameter("expected seconds as MIN:MAX, such as 0.05:0.3")
    return found


def _mischief(_ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]) -> Mischief:
    try:
        return Mischief.from_text(*value)
    except SettingsError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8787, show_default=True, help="0 picks a free one."
)
@click.option(
    "--mischief",
    multiple=True,
    callback=_mischief,
    metavar="RULE",
    help="A way to misbehave, as below; may be given again.",
)
@click.option(
    "--latency", default="0", callback=_latency, metavar="MIN:MAX", help="Seconds before each answer."
)
@click.option("--seed", type=int, help="The same one misbehaves in the same way.")
def command(host: str, port: int, mischief: Mischief, latency: tuple[float, float], seed: int | None) -> None:
    """Run a stand-in for the endpoint until SIGTERM or Ctrl-C. It places no orders anywhere.

    \b
    Examples:
      signal-worker paper
      signal-worker paper --latency 0.05:0.3
      signal-worker paper --mischief 503:p=0.1 --mischief hang:nth=2,seconds=30
    \b
    A RULE is an effect, or EFFECT:KEY=VALUE,KEY=VALUE. Effects, and keys of their own:
      400 to 599   answers that; retry_after, body, place
      hang         does not answer for 30 s, then hangs up; seconds, place
      reset        cuts the connection once the request is read; place
      reset_early  cuts it after the headers, places nothing
      drip         answers byte by byte, one each 0.05 s; every, place
      huge         answers with 8 MB; size, place
      redirect     answers 302, places nothing; status, location, place
      body         answers 200 with another body; body, place
      close        answers well, then hangs up without a word
      latency      waits, then goes on to the next rule; min, max
    \b
    Which requests it meets:
      connector=PATTERN, action=PATTERN, clientOrderId=PATTERN
      nth=N (the N-th of each connector), first=N (N times at most), p=0.1 (one in ten)
    place=true or false says whether the order is placed all the same.
    \b
    Then let a worker post to it:
      SIGNALS_ENDPOINT_URL=http://127.0.0.1:8787/trading-signal/webhook signal-worker run
    """
    server = PaperServer(host, port, mischief=mischief, latency=latency, seed=seed)

    def stop(*_: Any) -> None:
        server.stop()

    before = signal.signal(signal.SIGTERM, stop)
    try:
        click.echo(f"webhook   {server.webhook_url}")
        click.echo(f"receipts  {server.url}/")
        with suppress(KeyboardInterrupt):
            server.serve_forever()
    finally:
        signal.signal(signal.SIGTERM, before)
        server.stop()
