"""``signal-worker new-key``."""

from __future__ import annotations

import click

from worker.vault import new_key


@click.command()
def command() -> None:
    """Print a key that seals the tokens of signals in Redis.

    Producers and workers read keys from the file that SIGNALS_TOKEN_KEYS_FILE names, one a line. The first
    seals, all unseal. To change keys add the new one below the old in every file, then move it to the top
    everywhere, and take the old one out when all that was sealed with it has ended (docs/accounts.md).

    \b
    Example:
      (umask 077; signal-worker new-key >> token-keys)
    """
    click.echo(new_key())
