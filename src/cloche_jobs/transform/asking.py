"""A connection to a model server's Unix socket, kept for one question after the other.

The server runs the user's code: what it answers is bounded in size and in time, all of it together.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any

from cloche_jobs.contract.sockets import way_to
from cloche_jobs.transform.batch import MULTI, PAYLOAD_MB_DEFAULT, SINGLE, Manner, Orders, Payload

ANSWER_BYTES_MAX = 512 << 20
PING_SECONDS = 2.0
"""docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-batch-code.html"""
PARAMETERS_SECONDS = 30.0
PING_PAUSE_SECONDS = 0.02
CONCURRENT_MAX = 100
_READ_BYTES = 1 << 20


class NoAnswer(Exception):
    """Nothing came that could be read as an answer, or not in time."""


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        with way_to(self._path) as address:
            self.sock.connect(address)


class Line:
    """One connection, made again where it was closed. For one thread."""

    def __init__(self, path: str) -> None:
        self._connection = _UnixConnection(path)

    def ask(
        self, method: str, target: str, seconds: float, body: bytes | Iterator[bytes] | None = None, **headers: str
    ) -> tuple[int, str, bytes]:
        """(status, content type, body). Raises ``NoAnswer``."""
        deadline = time.monotonic() + seconds
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        is_stream = body is not None and not isinstance(body, bytes)
        try:
            self._left(deadline)
            self._connection.request(method, target, body, names, encode_chunked=is_stream)
            response = self._connection.getresponse()
            answer = self._body(response, deadline)
            return response.status, response.headers.get("Content-Type") or "", answer
        except (OSError, HTTPException) as error:
            self.close()
            raise NoAnswer(str(error) or type(error).__name__) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        with suppress(OSError):
            self._connection.close()

    def _body(self, response: HTTPResponse, deadline: float) -> bytes:
        found: list[bytes] = []
        size = 0
        while True:
            self._left(deadline)
            data = response.read(_READ_BYTES)
            if not data:
                break
            size += len(data)
            if size > ANSWER_BYTES_MAX:
                raise HTTPException(f"the answer is longer than {ANSWER_BYTES_MAX} bytes")
            found.append(data)
        return found[0] if len(found) == 1 else b"".join(found)

    def _left(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._connection.timeout = left
        if self._connection.sock is not None:
            self._connection.sock.settimeout(left)


def invoke(lines: Sequence[Line], orders: Orders, payload: Payload) -> tuple[int, str, bytes]:
    """One ``/invocations`` of a model, or of each container in its turn as long as they answer well: what
    one has answered the next is asked. The last is told what is to be accepted. Raises ``NoAnswer``."""
    deadline = time.monotonic() + orders.timeout_seconds
    kind = orders.content_type or ""
    body = payload.stream if payload.stream is not None else payload.body
    if orders.payload_mb == 0 and isinstance(body, bytes):
        body = iter((body,))
    for line in lines:
        headers = {"User_Agent": "Go-http-client/1.1"}
        if kind:
            headers["Content_Type"] = kind
        if orders.accept and line is lines[-1]:
            headers["Accept"] = orders.accept
        status, kind, answer = line.ask("POST", "/invocations", deadline - time.monotonic(), body, **headers)
        if status >= 300:
            break
        body = answer
    return status, kind, answer


def wait_until_ready(path: str, seconds: float) -> bool:
    """Whether the model server answers ``/ping`` with 200 within that time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        line = Line(path)
        with suppress(NoAnswer):
            if line.ask("GET", "/ping", PING_SECONDS)[0] == 200:
                line.close()
                return True
        line.close()
        time.sleep(PING_PAUSE_SECONDS)
    return False


def manner_of(path: str, orders: Orders) -> Manner:
    """The request's word, else the model's at ``/execution-parameters``, else AWS's defaults, each for itself."""
    told = _parameters(path)
    strategy = orders.strategy or _one_of(told.get("BatchStrategy"), (SINGLE, MULTI)) or MULTI
    payload_mb = _first(orders.payload_mb, _number(told.get("MaxPayloadInMB"), 0, 100), PAYLOAD_MB_DEFAULT)
    concurrent = _first(orders.concurrent or None, _number(told.get("MaxConcurrentTransforms"), 1, CONCURRENT_MAX), 1)
    return Manner(strategy, payload_mb, concurrent)


def _parameters(path: str) -> dict[str, Any]:
    line = Line(path)
    try:
        status, _, body = line.ask("GET", "/execution-parameters", PARAMETERS_SECONDS)
        told = json.loads(body) if status == 200 else {}
    except (NoAnswer, ValueError, RecursionError):
        told = {}
    line.close()
    return told if isinstance(told, dict) else {}


def _number(value: object, least: int, most: int) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most else None


def _one_of(value: object, words: tuple[str, ...]) -> str | None:
    return value if isinstance(value, str) and value in words else None


def _first(*values: int | None) -> int:
    return next(value for value in values if value is not None)
