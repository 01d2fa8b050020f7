"""``signal-producer gateway``."""

from __future__ import annotations

from typing import Any

import click

from worker.errors import SettingsError
from worker.settings import load_settings

EXTRA = "the gateway needs an extra: pip install '.[gateway]' in the checkout"


@click.command()
@click.option("--host", help="Where to listen; default: SIGNALS_GATEWAY_HOST (127.0.0.1).")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help="The port; 0 picks a free one. Default: SIGNALS_GATEWAY_PORT (8080).",
)
def command(host: str | None, port: int | None) -> None:
    """Take signals over HTTP until SIGTERM or Ctrl-C; docs/gateway.md tells of routes and keys.

    It serves plain HTTP from one process: put a proxy with TLS in front, and run as many as you like.

    \b
    Examples:
      SIGNALS_ACCOUNTS_FILE=accounts.yaml signal-producer gateway --port 8080
      SIGNALS_GATEWAY_PATH_SECRET=$(openssl rand -hex 16) signal-producer gateway
      curl -d '{"connectorName": "alpha", "connectorToken": "…", "action": "closeLong"}' \\
        http://127.0.0.1:8080/trading-signal/webhook
    """
    given: dict[str, Any] = {"gateway_host": host, "gateway_port": port}
    settings = load_settings(**{name: value for name, value in given.items() if value is not None})
    try:
        from producers.gateway.serve import serve
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("producers", "worker"):
            raise
        raise SettingsError(EXTRA) from None
    serve(settings)
