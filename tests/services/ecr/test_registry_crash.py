"""A server that is killed while layers come: what was answered for is there, and an upload goes on where it was."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable

from image_pushing import RegistryClient, SmallImage, digest_of

from server_process import ServerProcess

MIB = 1024 * 1024


def test_what_was_answered_for_survives_a_kill(start_server: Callable[..., ServerProcess]) -> None:
    server = start_server()
    server.client("ecr").create_repository(repositoryName="crash")
    registry, image = RegistryClient(server), SmallImage("crash")
    registry.push("crash", image, "1")
    content = bytes(range(256)) * (3 * MIB // 256)
    where = registry.upload("crash")
    assert registry.ask("PATCH", where, content[:MIB]).headers["range"] == f"0-{MIB - 1}"
    with socket.create_connection(("127.0.0.1", registry.port), timeout=30) as cut:
        head = f"PATCH {where} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Basic {registry.token}\r\n"
        cut.sendall(f"{head}content-length: {2 * MIB}\r\n\r\n".encode() + content[MIB : 2 * MIB + 100])
        part = server.data / "registry" / "uploads" / where.rpartition("/")[2]
        deadline = time.monotonic() + 30
        while part.stat().st_size < 2 * MIB and time.monotonic() < deadline:
            time.sleep(0.01)
        server.stop(signal.SIGKILL)
    server.start()
    assert registry.ask("GET", f"/v2/crash/manifests/{image.digest}").body == image.manifest, "with the same token"
    status = registry.ask("GET", where)
    size = int(status.headers["range"].partition("-")[2]) + 1
    assert MIB <= size <= 2 * MIB + 100
    rest = content[size:]
    done = registry.ask("PUT", f"{where}?digest={digest_of(content)}", rest, content_range=f"{size}-{len(content) - 1}")
    assert done.status == 201
    assert registry.ask("GET", done.headers["location"]).body == content
    server.stop(signal.SIGKILL)
    server.start()
    assert registry.ask("HEAD", done.headers["location"]).headers["content-length"] == str(len(content))
    assert list((server.data / "registry" / "uploads").iterdir()) == []
