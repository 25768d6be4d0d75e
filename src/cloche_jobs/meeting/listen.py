"""Wait on this host for what others want run here; end when told to: ``listen.py SOCKET``.

A call is one message: a JSON object, and with it the caller's standard streams. ``{"command": text}`` is run by a shell
in an environment like this one's, and answered with its exit code when it has ended; ``{"end": true}`` ends the wait.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading

MESSAGE_BYTES_MAX = 1 << 17
"""As much as the kernel takes of one argument (``MAX_ARG_STRLEN``): no command is longer."""


class Listener:
    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * MESSAGE_BYTES_MAX)
        part = f"{path}.part"
        self._socket.bind(part)
        self._socket.listen(64)
        os.rename(part, path)  # noqa: PTH104 - it is there once it listens

    def serve(self) -> None:
        """Until somebody says that it is over."""
        while True:
            caller, _ = self._socket.accept()
            with caller:
                streams: list[int] = []
                try:
                    message, streams, _, _ = socket.recv_fds(caller, MESSAGE_BYTES_MAX, 3)
                    order = json.loads(message)
                    if order.get("end"):
                        return
                    self._begin(str(order["command"]), streams, caller.dup())
                except (OSError, ValueError, AttributeError, KeyError):
                    continue  # whoever asked hears that it was nothing
                finally:
                    for stream in streams:
                        os.close(stream)

    def _begin(self, command: str, streams: list[int], caller: socket.socket) -> None:
        own = {"stdin": streams[0], "stdout": streams[1], "stderr": streams[2]} if len(streams) == 3 else {}
        process = subprocess.Popen(["/bin/sh", "-c", command], start_new_session=True, **own)  # type: ignore[call-overload]
        threading.Thread(target=_tell, args=(process, caller), daemon=True).start()


def _tell(process: subprocess.Popen[bytes], caller: socket.socket) -> None:
    code = process.wait()
    with caller:
        try:
            caller.send(str(code if code >= 0 else 128 - code).encode())
        except OSError:
            pass  # nobody waits for it any more


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: None)  # a stop: what runs here is asked, too
    Listener(sys.argv[1]).serve()


if __name__ == "__main__":
    main()
