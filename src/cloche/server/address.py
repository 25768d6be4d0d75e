"""Where the server is, as its jobs see it."""

from __future__ import annotations

from cloche.foundation.settings import Settings


def url_for_jobs(settings: Settings) -> str:
    """Jobs share this machine's network: loopback reaches a server that listens there or everywhere."""
    listens_wide = settings.host in ("0.0.0.0", "::", "localhost")  # noqa: S104
    host = "127.0.0.1" if listens_wide else settings.host
    return f"http://{'[' + host + ']' if ':' in host else host}:{settings.port}"
