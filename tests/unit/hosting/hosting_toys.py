"""A compute backend whose processes are threads that speak HTTP on the socket they were given.

What a toy does is told by the model's environment: ``TOY=ok`` answers, ``silent`` never answers a ping, ``crash``
ends at once; ``NAME`` comes back in every answer; ``PAUSE`` is how long an answer takes.
"""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from cloche.compute.runtime import Capabilities, Ended, Lost, Observation, ProcessSpec, Running, Usage


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        with self.server.lock:
            self.server.open.append(self.connection)
        while True:
            line = self.rfile.readline()
            if not line:
                return
            length = 0
            while (header := self.rfile.readline()) not in (b"\r\n", b""):
                if header.lower().startswith(b"content-length:"):
                    length = int(header[15:])
            self.rfile.read(length)
            self.answer(line)

    def answer(self, line: bytes) -> None:
        toy = self.server.environment
        if line.startswith(b"GET /ping") and toy.get("TOY") == "silent":
            time.sleep(0.5)
            status, body = b"500 No", b""
        elif line.startswith(b"GET /ping"):
            status, body = b"200 OK", b""
        else:
            time.sleep(float(toy.get("PAUSE", "0")))
            status, body = b"200 OK", toy.get("NAME", "").encode()
        self.wfile.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: str, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.open: list[object] = []
        self.lock = threading.Lock()
        super().__init__(path, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        pass


class ToyRuntime:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.specs: dict[str, ProcessSpec] = {}
        self.ended: dict[str, Ended | Lost] = {}
        self.servers: dict[str, _Server] = {}
        self.started: list[str] = []
        self.listeners: list[Callable[[str], None]] = []
        self.spent: dict[str, Usage] = {}

    capabilities = Capabilities(False, False, False, False, False, "toys")

    def start(self, spec: ProcessSpec) -> None:
        if spec.id in self.specs:
            return
        self.specs[spec.id] = spec
        self.started.append(spec.id)
        self.output(spec.id).write_text(f"{spec.environment.get('NAME', '')} is up\n")
        if spec.environment.get("TOY") == "crash":
            self._end(spec.id, Ended("exited", 1, None, time.time(), time.time()))
            return
        assert spec.socket is not None
        spec.socket.unlink(missing_ok=True)
        server = self.servers[spec.id] = _Server(str(spec.socket), spec.environment)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def observe(self, id: str) -> Observation | None:
        if id in self.ended:
            return self.ended[id]
        return Running(time.time(), 1) if id in self.specs else None

    def stop(self, id: str, grace_seconds: float | None = None) -> None:
        if id in self.servers and id not in self.ended:
            self._end(id, Ended("stopped", 0, None, time.time(), time.time()))

    def kill(self, id: str) -> None:
        """As ``kill -9`` of everything: nobody knows how it ended."""
        self._end(id, Lost(time.time()))

    def _end(self, id: str, how: Ended | Lost) -> None:
        self.ended[id] = how
        server = self.servers.pop(id, None)
        if server is not None:
            server.shutdown()
            server.server_close()
            with server.lock:
                for connection in server.open:
                    try:
                        connection.shutdown(2)  # type: ignore[attr-defined]
                    except OSError:
                        pass
        for listener in self.listeners:
            listener(id)

    def usage(self, ids: Iterable[str]) -> dict[str, Usage]:
        return {id: self.spent[id] for id in ids if id in self.spent}

    def usage_on_hosts(self, ids: Iterable[str]) -> dict[str, tuple[Usage, ...]]:
        return {}

    def disk_bytes(self, folder: Path) -> int:
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

    def output(self, id: str, host: int = 0) -> Path:
        return self.folder / id

    def on_change(self, listener: Callable[[str], None]) -> None:
        self.listeners.append(listener)

    def forget(self, id: str) -> None:
        if id in self.specs and id not in self.ended:
            self.kill(id)
        self.specs.pop(id, None)
        self.ended.pop(id, None)
        self.output(id).unlink(missing_ok=True)

    def known(self) -> list[str]:
        return list(self.specs)
