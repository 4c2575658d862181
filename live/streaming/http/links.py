"""What to open in a browser: addresses that others can reach, with the tokens that they need."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from urllib.parse import quote

import ifaddr

_EVERYWHERE = ("0.0.0.0", "::")


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def lan_addresses() -> list[str]:
    """Addresses by which other machines reach this one, of both families; IPv4 first, private ones before others."""
    addresses = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            address = ipaddress.ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0])
            if not (address.is_loopback or address.is_link_local or address.is_unspecified):
                addresses.append(address)
    return [str(a) for a in sorted(addresses, key=lambda a: (a.version, not a.is_private, int(a)))]


def reachable_host(host: str) -> str:
    """The name or address to open for a server on ``host``: one that other machines know, where they may connect."""
    if is_loopback(host):
        return "localhost"
    if host not in _EVERYWHERE:
        return host
    addresses = [a for a in lan_addresses() if host == "::" or ":" not in a]
    return addresses[0] if addresses else socket.gethostname()


def link(host: str, port: int, secure: bool, token: str | None = None) -> str:
    """The page's address. The token stands behind the #, which a browser keeps to itself."""
    name = f"[{host}]" if ":" in host else host
    address = f"{'https' if secure else 'http'}://{name}:{port}"
    return f"{address}/#token={quote(token, safe='')}" if token else address


def qr_code(text: str) -> Iterator[str]:
    """A QR code as lines for a terminal: two rows of modules a line, of half blocks."""
    import segno  # by the few that start a server for others, on a terminal

    rows = [list(row) for row in segno.make_qr(text, error="l").matrix_iter(border=2)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    blocks = {(1, 1): " ", (0, 0): "█", (1, 0): "▄", (0, 1): "▀"}  # light on dark, as most terminals are
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        yield "".join(blocks[a, b] for a, b in zip(upper, lower, strict=True))
