"""A small signed client for the commands: the operations everybody else uses, over the same port.

Only JSON services (SageMaker, CloudWatch Logs), which is all the commands ask.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any, Final

import click

from cloche.server.client_environment import root_keys
from cloche.server.directory import Layout, Running

_TARGETS: Final = {"sagemaker": "SageMaker", "logs": "Logs_20140328"}
Members = dict[str, Any]


class Refused(click.ClickException):
    """The server's answer to an operation it will not do; ``code`` is AWS's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Client:
    def __init__(self, layout: Layout, running: Running) -> None:
        self._running = running
        self._keys = root_keys(layout)
        self._connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)

    def call(self, service: str, operation: str, **members: Any) -> Members:
        """The operation's answer. Raises ``Refused``."""
        body = json.dumps({name: value for name, value in members.items() if value is not None}).encode()
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"{_TARGETS[service]}.{operation}",
        }
        try:
            self._connection.request("POST", "/", body, self._signed(service, body, headers))
            answer = self._connection.getresponse()
            said: Members = json.loads(answer.read() or b"{}")
        except OSError as error:
            raise click.ClickException(f"Cloche at {self._running.url} does not answer: {error}") from None
        if answer.status >= 300:
            code = str(said.get("__type", answer.status)).rpartition("#")[2]
            raise Refused(code, str(said.get("message") or said.get("Message") or ""))
        return said

    def pages(self, service: str, operation: str, key: str, **members: Any) -> Iterator[Members]:
        """The items of all pages."""
        while True:
            answer = self.call(service, operation, **members)
            yield from answer.get(key, [])
            if not answer.get("NextToken"):
                return
            members["NextToken"] = answer["NextToken"]

    def _signed(self, service: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        request = AWSRequest("POST", f"http://127.0.0.1:{self._running.port}/", headers, body)
        SigV4Auth(Credentials(*self._keys), service, self._running.region).add_auth(request)
        return dict(request.headers.items())
