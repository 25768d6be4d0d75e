"""Cloche's own routes, as the commands ask them: JSON over the same port, with the token that only the owner of the
data directory can read."""

from __future__ import annotations

import http.client
import json
from typing import Any

import click

from cloche.server.directory import Layout, Running


def ask(layout: Layout, running: Running, method: str, path: str, members: dict[str, Any] | None = None) -> Any:
    """The route's answer. Ends the command with the server's sentence where it refuses."""
    token = (layout.keys / "console.token").read_text().strip()
    body = None if members is None else json.dumps(members)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=120)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        said = json.loads(answer.read() or b"{}")
    except (OSError, ValueError) as error:
        raise click.ClickException(f"Cloche at {running.url} does not answer: {error}") from None
    if answer.status >= 300:
        raise click.ClickException(str(said.get("message") or said))
    return said
