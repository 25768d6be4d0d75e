"""The server's end of the nursery (``runner.nursery``): asks it for runners, and starts it anew should it have died."""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

ANSWER_SECONDS_MAX: Final = 10.0
_DEFAULT_SIGNALS: Final = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE]


class Nursery:
    """``command`` is the line that runs it. It is started with the first runner."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._lock = threading.Lock()
        self._channel: socket.socket | None = None
        self._pid = 0

    def runner(self, what: str, folder: Path, source: int, sink: int) -> int:
        """The pid of one that is ``what`` (``run``, ``stand-by``) in ``folder`` and was given two descriptors as its
        input and output. It is nobody's to wait for. Raises ``OSError``."""
        message = os.fsencode(f"{what}\0{folder.resolve()}")
        with self._lock:
            for is_last in (False, True):
                try:
                    return self._asked(message, source, sink)
                except (ConnectionError, TimeoutError):
                    self._end()
                    if is_last:
                        raise
        raise AssertionError

    def close(self) -> None:
        """Its runners live on."""
        with self._lock:
            self._end()

    def _asked(self, message: bytes, source: int, sink: int) -> int:
        if self._channel is None:
            self._start()
        assert self._channel is not None
        socket.send_fds(self._channel, [message], [source, sink])
        answer = self._channel.recv(32)
        if not answer:
            raise ConnectionError("the nursery has died")
        return int(answer)

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(ANSWER_SECONDS_MAX)
        line = self._command
        try:
            self._pid = os.posix_spawn(
                line[0],
                line,
                {"PATH": os.defpath},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, theirs.fileno(), 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                ],
                setsigmask=[],
                setsigdef=_DEFAULT_SIGNALS,
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._channel = ours

    def _end(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)  # our own child, not yet waited for
            with suppress(ChildProcessError):
                os.waitpid(self._pid, 0)
