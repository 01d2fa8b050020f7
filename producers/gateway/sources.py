"""From which addresses webhook signals are taken."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from worker.errors import SettingsError

TRADINGVIEW = ("52.89.214.238", "34.212.75.30", "54.218.53.128", "52.32.178.7")
"""Where TradingView's webhooks come from, by its help page."""


class Sources:
    """An allowlist of addresses; an empty one allows all."""

    def __init__(self, text: str) -> None:
        """``text``: ``tradingview``, addresses and CIDRs, comma-separated. Raises SettingsError."""
        self._networks = networks("SIGNALS_GATEWAY_SOURCES", text, {"tradingview": TRADINGVIEW})

    def allows(self, client: Sequence[Any] | None) -> bool:
        """``client``: host and port, as ASGI has them."""
        if not self._networks:
            return True
        try:
            address = ip_address(client[0] if client else "")
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)


def networks(
    setting: str, text: str, presets: dict[str, tuple[str, ...]] | None = None
) -> list[IPv4Network | IPv6Network]:
    """What a comma-separated setting says. Raises SettingsError."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    known = presets or {}
    found = []
    for part in (one for name in parts for one in known.get(name.lower(), (name,))):
        try:
            found.append(_unmapped(ip_network(part)))
        except ValueError:
            extra = "".join(f", or {preset}" for preset in known)
            raise SettingsError(f"{setting}: {part!r} is no address or CIDR{extra}") from None
    return found


def proxies(text: str) -> str:
    """The same for uvicorn, which does not know ``::ffff:10.0.0.1`` for 10.0.0.1. Raises SettingsError."""
    found = networks("SIGNALS_GATEWAY_PROXIES", text)
    mapped = [f"::ffff:{one.network_address}/{96 + one.prefixlen}" for one in found if one.version == 4]
    return ",".join([*map(str, found), *mapped])


def _unmapped(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """IPv4 as itself: where a socket listens on ``::`` its addresses come as ``::ffff:10.0.0.1``."""
    inner = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    return network if inner is None else ip_network((inner, network.prefixlen - 96))
