"""Where HTTP endpoints may be: on this machine. Cloche talks to nobody else unasked."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from cloche.foundation.errors import Invalid


def loopback_host(endpoint: str) -> str:
    """The host of a URL that leads to this machine and nowhere else. Raises ``Invalid`` for any other."""
    try:
        parts = urlsplit(endpoint)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise Invalid(f"{endpoint[:200]} is not a URL.") from None
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise Invalid(f"{endpoint[:200]} is not a URL of an HTTP endpoint.")
    if host == "localhost" or host.endswith(".localhost"):
        return "127.0.0.1"
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise Invalid(
            f"Cloche delivers to endpoints on this machine only (localhost, 127.0.0.0/8, ::1), not to {host}."
        )
    return host
