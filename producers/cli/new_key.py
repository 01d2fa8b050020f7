"""``signal-producer new-key``."""

from __future__ import annotations

import json

import click

from producers.gateway.keys import ApiKey, hash_of, new_key


@click.command()
@click.argument("name")
@click.option("--connector", "connectors", multiple=True, help="A connector it may send and see; * for all.")
@click.option("--group", "groups", multiple=True, help="A group of the accounts file it may send and see.")
def command(name: str, connectors: tuple[str, ...], groups: tuple[str, ...]) -> None:
    """Make an API key for the gateway's /v1, and the entry for SIGNALS_API_KEYS_FILE.

    The key itself is printed once and kept nowhere; the file holds its hash only.

    \b
    Examples:
      signal-producer new-key research --connector "BTC Trend" --connector "ETH Trend"
      signal-producer new-key operations --connector '*'
    """
    if not connectors and not groups:
        raise click.UsageError("give at least one --connector or --group, or the key could do nothing")
    key = new_key()
    entry = {"name": name, "hash": hash_of(key), "connectors": list(connectors), "groups": list(groups)}
    try:
        ApiKey.model_validate(entry)
    except ValueError:
        raise click.BadParameter(
            "a name is 1 to 64 of A-Z a-z 0-9 . _ -, connectors and groups are 1 to 128 characters"
        ) from None
    scope = {field: entry[field] for field in ("name", "hash", "connectors", "groups") if entry[field]}
    click.echo(f"The key, shown this once:\n\n  {key}\n")
    click.echo("One more entry under `keys:` in SIGNALS_API_KEYS_FILE:\n")
    click.echo(f"  - {json.dumps(scope, ensure_ascii=False)}")
