"""From `cloche up` to the first answer, and the memory of a server that does nothing; beside moto's server.

The first answer is a signed GetCallerIdentity. Memory is the resident set of the process, some seconds after it.

    python benchmarks/startup.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from control_plane import PACKAGES
from invoke import peer_environment

IDLE_SECONDS = 4.0


def signed_question(port: int, keys: dict[str, str]) -> tuple[str, dict[str, str]]:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    body = "Action=GetCallerIdentity&Version=2011-06-15"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    request = AWSRequest("POST", f"http://127.0.0.1:{port}/", headers=kind, data=body)
    SigV4Auth(Credentials(keys["AccessKeyId"], keys["SecretAccessKey"]), "sts", "us-east-1").add_auth(request)
    return body, dict(request.headers.items())


def answers(port: int, keys: dict[str, str]) -> bool:
    body, headers = signed_question(port, keys)
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("POST", "/", body, headers)
        return connection.getresponse().status == 200
    return False


def measure(command: list[str], port: int, root: Path | None) -> tuple[float, float]:
    """(seconds to the first answer, MiB when idle)."""
    keys = {"AccessKeyId": "AKIAEXAMPLE", "SecretAccessKey": "secret"}
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            if process.poll() is not None:
                sys.exit(f"{command[0]} ended with {process.returncode}")
            if root is None or root.exists():
                with contextlib.suppress(OSError, ValueError):
                    keys = keys if root is None else json.loads(root.read_text())
                    if answers(port, keys):
                        break
            time.sleep(0.005)
        seconds = time.perf_counter() - began
        time.sleep(IDLE_SECONDS)
        return seconds, resident(process.pid)
    finally:
        process.terminate()
        process.wait()


def resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    moto_server = peer_environment("moto", PACKAGES).with_name("moto_server")
    found: dict[str, list[tuple[float, float]]] = {"cloche, first start": [], "cloche": [], "moto": []}
    with tempfile.TemporaryDirectory() as name:
        for turn in range(chosen.rounds):
            data = Path(name) / str(turn)
            for which in ("cloche, first start", "cloche"):
                port = free_port()
                command = [sys.executable, "-m", "cloche.cli.main", "up", "--port", str(port), "--data", str(data)]
                found[which].append(measure(command, port, data / "keys" / "root.json"))
            port = free_port()
            found["moto"].append(measure([str(moto_server), "-H", "127.0.0.1", "-p", str(port)], port, None))
    print(f"{os.cpu_count()} cores; medians of {chosen.rounds} starts, in turns")
    print(f"{'':<20} {'first answer s':>15} {'idle MiB':>9}")
    medians: dict[str, Any] = {}
    for which, values in found.items():
        medians[which] = tuple(statistics.median(column) for column in zip(*values, strict=True))
        print(f"{which:<20} {medians[which][0]:>15.2f} {medians[which][1]:>9.0f}")
    ours, theirs = medians["cloche"], medians["moto"]
    print(f"{'ratio':<20} {ours[0] / theirs[0]:>15.2f} {ours[1] / theirs[1]:>9.2f}")


if __name__ == "__main__":
    main()
