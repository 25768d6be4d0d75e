"""``python -m cloche_jobs.functions.main``: the process of one execution environment.

The server listens on the socket that a variable names, and this process calls it: so it is there as soon as it can be,
and a server that was killed is found again by its successor's listening where the former did. Without any server it
ends by itself after a while. The handler runs in the main thread, as on AWS; START, END and REPORT are printed here,
so that the log has everything in order.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from cloche_jobs.contract import frames, function_log
from cloche_jobs.functions import faults
from cloche_jobs.functions.context import LambdaContext

CALL_SECONDS: Final = 0.05
PIECE_BYTES: Final = 1024 * 1024


class Line:
    """The connection to the server, made again when it breaks. ``EOFError`` after ``alone`` seconds without one."""

    def __init__(self, path: str, alone: float) -> None:
        self._path = path
        self._alone = alone
        self._socket = self._called()
        self.greeting: bytes = b""
        """Said first on a connection that was made again."""

    def _called(self) -> socket.socket:
        until = time.monotonic() + self._alone
        while True:
            made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                made.connect(self._path)
                return made
            except OSError:
                made.close()
                if time.monotonic() > until:
                    raise EOFError("nobody has called for long") from None
                time.sleep(CALL_SECONDS)

    def say(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError:
            pass  # whoever asked is gone; the next hears the greeting

    def hear(self) -> tuple[dict[str, Any], bytes]:
        while True:
            try:
                head, body = frames.lengths(self._exactly(frames.HEAD.size))
                return frames.read_head(self._exactly(head)), bytes(self._exactly(body))
            except OSError:
                self._socket.close()
                self._socket = self._called()
                self.say(self.greeting)

    def _exactly(self, count: int) -> bytearray:
        data = bytearray()
        while len(data) < count:
            piece = self._socket.recv(min(count - len(data), PIECE_BYTES))
            if not piece:
                raise ConnectionResetError
            data += piece
        return data


class Unbuffered:
    """A text stream that is never behind."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        count = self._stream.write(text)
        self._stream.flush()
        return int(count)

    def writelines(self, lines: Any) -> None:
        self._stream.writelines(lines)
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class LogHandler(logging.Handler):
    """A record is one event of the log, however many lines it has."""

    request = ""

    def emit(self, record: logging.LogRecord) -> None:
        record.aws_request_id = self.request
        sys.stdout.write(self.format(record).replace("\n", "\r") + "\n")


class Platform:
    """What the platform prints, by a way of its own: a function may close or replace its ``stdout``."""

    def __init__(self) -> None:
        self._output = os.dup(1)

    def print(self, line: str) -> None:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:  # noqa: S110 - the function has closed it or put its own there
                pass
        try:
            os.write(self._output, f"{line}\n".encode("utf-8", "replace"))
        except OSError:
            pass


def set_up_logging() -> None:
    """The root logger as AWS's runtime leaves it: its handler, the level WARNING."""
    logging.Formatter.converter = time.gmtime
    handler = LogHandler()
    form = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
    handler.setFormatter(logging.Formatter(form, "%Y-%m-%dT%H:%M:%S"))
    logging.getLogger().addHandler(handler)


def memory_mb() -> int:
    """The most that this process, or one it has waited for, has used."""
    used = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return int(used // (1024 if sys.platform != "darwin" else 1024 * 1024))


def answer(handler: Callable[[Any, Any], Any], head: dict[str, Any], body: bytes) -> tuple[bytes, bool]:
    """What the handler makes of an event, and whether that is an error's document."""
    try:
        try:
            told = head.get("client_context")
            client_context = json.loads(told) if told else None
        except ValueError as error:
            text = f"Unable to parse Client Context JSON: {error}"
            raise faults.Fault("LambdaContextUnmarshalError", text) from None
        context = LambdaContext(head["request"], head["arn"], head["deadline_ms"], client_context)
        return faults.write_answer(handler(faults.read_event(body), context)), False
    except Exception as error:
        told = faults.document(error, head["request"])
        print(faults.line(told))
        return json.dumps(told).encode(), True


def limited(body: bytes, failed: bool) -> tuple[bytes, bool]:
    if len(body) <= frames.BODY_BYTES_MAX:
        return body, failed
    # moto's tests and others quote AWS's words with this number.
    text = f"Response payload size exceeded maximum allowed payload size ({frames.BODY_BYTES_MAX} bytes)."
    return json.dumps({"errorMessage": text, "errorType": "Function.ResponseSizeTooLarge"}).encode(), True


def serve(line: Line, platform: Platform, handler: Callable[[Any, Any], Any], init_ms: float) -> None:
    version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
    size = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
    first: float | None = init_ms
    own = os.getpid()
    while True:
        head, body = line.hear()
        LogHandler.request = request = str(head["request"])
        platform.print(function_log.start(request, version))
        started = time.perf_counter()
        said, failed = limited(*answer(handler, head, body))
        if os.getpid() != own:
            os._exit(0)  # a child of the handler's, come back from it
        ms = (time.perf_counter() - started) * 1000
        memory = memory_mb()
        platform.print(f"{function_log.end(request)}\n{function_log.report(request, ms, size, memory, first)}")
        told = {"request": request, "ms": ms, "init_ms": first, "memory_mb": memory, "failed": failed}
        line.say(frames.packed(told, said))
        first = None


def main() -> None:
    started = time.perf_counter()
    line = Line(os.environ.pop(frames.SOCKET_VARIABLE), float(os.environ.pop(frames.ALONE_VARIABLE)))
    platform = Platform()
    platform.print(os.environ.pop(frames.VERSION_VARIABLE))
    sys.stdout, sys.stderr = Unbuffered(sys.stdout), Unbuffered(sys.stderr)
    set_up_logging()
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    try:
        handler = faults.load_handler(os.environ.get("_HANDLER", ""))
    except Exception as error:
        told = faults.document(error)
        print(faults.line(told))
        said, _ = limited(json.dumps(told).encode(), True)
        line.say(frames.packed({"hello": 1, "init_ms": (time.perf_counter() - started) * 1000, "failed": True}, said))
        sys.exit(1)
    init_ms = (time.perf_counter() - started) * 1000
    line.greeting = frames.packed({"hello": 1, "init_ms": init_ms, "failed": False})
    line.say(line.greeting)
    try:
        serve(line, platform, handler, init_ms)
    except EOFError:
        sys.exit(0)


if __name__ == "__main__":
    main()
