"""Lambda steps: a function called in a thread of its own, so that no worker of the reconciler waits for it.

A server that dies while a function runs calls it again, as Lambda itself may: it is handed the same request token.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import orjson

from cloche.engines.pipelines.expressions import text_of
from cloche.foundation.api import Api, Behalf, Refused

log = logging.getLogger(__name__)

THREADS: Final = 16
VALUE_CHARACTERS_MAX: Final = 1_024
"""Of an output parameter as it is listed (the model's String1024)."""


@dataclass(frozen=True, slots=True)
class Call:
    execution: str
    step: str
    attempt: int
    behalf: Behalf
    function: str
    arguments: dict[str, Any]
    token: str


@dataclass(frozen=True, slots=True)
class Answered:
    """``refused`` is AWS's code where the call itself was refused."""

    outputs: dict[str, Any]
    reason: str = ""
    refused: str = ""


Done = Callable[[Call, Answered], None]
Open = Callable[[Call], bool]


class Functions:
    """``done`` is called on the thread that made the call, and keeps the answer; ``is_open`` says whether there is none
    yet."""

    def __init__(self, api: Api, done: Done, is_open: Open) -> None:
        self._api = api
        self._done = done
        self._is_open = is_open
        self._under_way: set[tuple[str, str, int]] = set()
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def call(self, call: Call) -> None:
        """Once for each attempt that is under way."""
        key = (call.execution, call.step, call.attempt)
        with self._lock:
            if key in self._under_way:
                return
            self._under_way.add(key)
            if self._pool is None:
                self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="pipeline-functions")
            self._pool.submit(self._make, call, key)

    def _make(self, call: Call, key: tuple[str, str, int]) -> None:
        try:
            # Whoever asked may have read the row before the last call was done; no other call is under way now.
            if self._is_open(call):
                self._done(call, self._answer(call))
        except Exception:
            log.exception("the function of %s in %s could not be called; it is tried again", call.step, call.execution)
        finally:
            with self._lock:
                self._under_way.discard(key)

    def _answer(self, call: Call) -> Answered:
        request = {"FunctionName": call.function, "Payload": orjson.dumps(call.arguments)}
        try:
            answer = self._api.call(call.behalf, "lambda", "Invoke", request, {"RequestToken": call.token})
        except Refused as error:
            return Answered({}, error.message, error.code)
        payload = bytes_of(answer.get("Payload"))
        if answer.get("FunctionError"):
            return Answered({}, f"ClientError: The Lambda function failed: {payload.decode(errors='replace')}")
        try:
            document = orjson.loads(payload or b"null")
        except orjson.JSONDecodeError:
            return Answered({}, "ClientError: The Lambda function's answer is not JSON")
        return Answered(document if isinstance(document, dict) else {})

    def close(self) -> None:
        """Wait for none: what is under way is called again by the next server."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def bytes_of(payload: Any) -> bytes:
    """A payload, whether it comes as bytes or in pieces."""
    if payload is None:
        return b""
    if isinstance(payload, (bytes, bytearray, memoryview)):
        return bytes(payload)
    if isinstance(payload, str):
        return payload.encode()
    if hasattr(payload, "read"):
        return bytes(payload.read())
    return b"".join(payload)


def listed(outputs: dict[str, Any]) -> list[dict[str, str]]:
    """As ``OutputParameters`` of a step's metadata."""
    found = []
    for name, value in outputs.items():
        text = orjson.dumps(value).decode() if isinstance(value, (dict, list)) else text_of(value)
        found.append({"Name": name, "Value": text[:VALUE_CHARACTERS_MAX]})
    return found
