"""What a Lambda function's process and the server say to each other over their Unix socket: frames.

A frame is two lengths (of the head and of the body, four bytes each, most significant first), the head (a JSON object)
and the body (an event, an answer: bytes). Nothing in a frame may be longer than its maximum; who sends more is cut off.

To the process: ``{"request", "deadline_ms", "arn", "client_context"}`` with the event. From it: ``{"hello",
"init_ms", "failed"}`` once the function is loaded (with the error's document, if it could not be), then
``{"request", "ms", "init_ms", "memory_mb", "failed"}`` with each answer.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Final

HEAD: Final = struct.Struct(">II")
HEAD_BYTES_MAX: Final = 64 * 1024
PAYLOAD_BYTES_MAX: Final = 6 * 1024 * 1024
"""docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: "6 MB each for request and response"."""
BODY_BYTES_MAX: Final = PAYLOAD_BYTES_MAX + 100
"""What AWS lets through of a response, by the words in which it refuses more ("6291556 bytes")."""

SOCKET_VARIABLE: Final = "CLOCHE_FUNCTION_SOCKET"
STREAM_VARIABLE: Final = "AWS_LAMBDA_LOG_STREAM_NAME"
ALONE_VARIABLE: Final = "CLOCHE_FUNCTION_ALONE_SECONDS"
"""How long a function's process waits for a server before it ends by itself."""
VERSION_VARIABLE: Final = "CLOCHE_FUNCTION_RUNTIME"
"""What its first line says of the Python that runs it."""
MODULE: Final = "cloche_jobs.functions.main"


class FrameBroken(Exception):
    """The other side speaks nonsense; ``str()`` says what."""


def packed(head: dict[str, Any], body: bytes = b"") -> bytes:
    said = json.dumps(head).encode()
    return HEAD.pack(len(said), len(body)) + said + body


def lengths(data: bytes | bytearray | memoryview) -> tuple[int, int]:
    """Of head and body, told by the first eight bytes. Raises ``FrameBroken``."""
    head, body = HEAD.unpack_from(data)
    if head > HEAD_BYTES_MAX or body > BODY_BYTES_MAX:
        raise FrameBroken(f"a frame of {head} and {body} bytes")
    return head, body


def read_head(data: bytes | bytearray) -> dict[str, Any]:
    """Raises ``FrameBroken`` for what is not a JSON object."""
    try:
        head = json.loads(data)
    except (ValueError, RecursionError):
        raise FrameBroken("a head that is not JSON") from None
    if not isinstance(head, dict):
        raise FrameBroken("a head that is not an object")
    return head
