"""The health question: ``GET /ping`` over the model server's Unix socket, from a worker thread.

Source of the 2 seconds: docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

from __future__ import annotations

import socket
import time
from typing import Final

from cloche.engines.hosting.answer import AnswerReader, BadAnswer
from cloche_jobs.contract.sockets import way_to

PING_SECONDS: Final = 2.0
_REQUEST: Final = b"GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def is_healthy(path: str, timeout_seconds: float = PING_SECONDS) -> bool:
    """Whether the server at ``path`` answers 200 in time. Nobody listening, or nonsense, is ``False``."""
    return ask(path, timeout_seconds) == 200


def is_deaf(path: str) -> bool:
    """Whether the socket is there and nobody listens on it: its server closed it or has ended. One that is only busy
    lets connections wait."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(PING_SECONDS)
            with way_to(path) as address:
                connection.connect(address)
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def ask(path: str, timeout_seconds: float) -> int | None:
    """The status of the answer, ``None`` where there is none."""
    end = time.monotonic() + timeout_seconds
    reader = AnswerReader()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_seconds)
            with way_to(path) as address:
                connection.connect(address)
            connection.sendall(_REQUEST)
            while True:
                left = end - time.monotonic()
                if left <= 0:
                    return None
                connection.settimeout(left)
                data = connection.recv(65_536)
                answer = reader.feed(data) if data else reader.end()
                if answer is not None:
                    return answer.status
    except (OSError, BadAnswer):
        return None
