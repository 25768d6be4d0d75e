"""InvokeEndpoint beside its own ceilings: boto3 against a bare echo, and the largest payload against loopback.

The echo is a process of a few lines that answers every POST with its own body: what it cannot do on this machine, no
endpoint can. One row through unmodified boto3 goes to an XGBoost endpoint and to the echo; 6 MiB (the most a body may
have) go to an endpoint of a script that gives back what it gets, and to the echo, over raw sockets. In pairs of short
spans, each pair with a ratio of its own: what else a machine does comes in longer waves, and hits both. Said is the
median of the ratios, with the interval that holds it in 95 of 100 such measurements.

    python benchmarks/invoke_clients.py [--seconds 0.25] [--pairs 60]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import re
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from invoke import clients, cloche, signed_request, trained

SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
PAYLOAD_BYTES = 6 * 1024 * 1024
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r", re.IGNORECASE)
AFTER_A_SWITCH = 5
"""So many questions are asked before those that are counted."""
SCRIPT = """
def model_fn(model_dir):
    return None

def transform_fn(model, body, content_type, accept):
    return body, content_type
"""
ECHO = """
import asyncio, sys, uvloop

class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.held, self.left = transport, [], 0

    def data_received(self, data):
        if not self.left:
            head, _, data = data.partition(b"\\r\\n\\r\\n")
            length = next(line for line in head.split(b"\\r\\n") if line.lower().startswith(b"content-length:"))
            self.left = int(length[15:])
            self.transport.write(b"HTTP/1.1 200 OK\\r\\ncontent-type: text/csv\\r\\ncontent-length: ")
            self.transport.write(b"%d\\r\\n\\r\\n" % self.left)
        self.held.append(data)
        self.left -= len(data)
        if not self.left:
            self.transport.write(b"".join(self.held))
            self.held.clear()

async def main():
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()

uvloop.run(main())
"""


@contextlib.contextmanager
def echo(folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = folder / "echo.py"
    program.write_text(ECHO)
    process = subprocess.Popen([sys.executable, str(program), str(port)])
    try:
        for _ in range(200):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def deploy_script(client: dict[str, Any]) -> None:
    """An endpoint called ``echo`` beside the benchmark's."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        info = tarfile.TarInfo("code/inference.py")
        info.size = len(SCRIPT)
        tar.addfile(info, io.BytesIO(SCRIPT.encode()))
    client["s3"].put_object(Bucket="benchmark", Key="echo/model.tar.gz", Body=packed.getvalue())
    sagemaker = client["sagemaker"]
    role = sagemaker.describe_model(ModelName="benchmark")["ExecutionRoleArn"]
    variables = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    container = {"Image": SKLEARN, "ModelDataUrl": "s3://benchmark/echo/model.tar.gz", "Environment": variables}
    sagemaker.create_model(ModelName="echo", PrimaryContainer=container, ExecutionRoleArn=role)
    variant = {"VariantName": "All", "ModelName": "echo", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="echo", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="echo", EndpointConfigName="echo")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="echo", WaiterConfig={"Delay": 1, "MaxAttempts": 900})


class RawClient:
    """One connection on which the same signed request goes out again and again."""

    def __init__(self, url: str, headers: dict[str, str], body: bytes) -> None:
        parts = urlsplit(url)
        lines = {**headers, "Host": parts.netloc, "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._request = f"POST {parts.path} HTTP/1.1\r\n{head}\r\n".encode() + body
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 80))
        self._into = bytearray(len(body) + 8_192)

    def ask(self) -> None:
        self._socket.sendall(self._request)
        came, into = 0, memoryview(self._into)
        while (end := self._into.find(b"\r\n\r\n", 0, min(came, 8_192))) < 0:
            came += self._socket.recv_into(into[came:])
        if not self._into.startswith(b"HTTP/1.1 200"):
            sys.exit(f"no success: {bytes(into[:came])[:500]!r}")
        length = _LENGTH.search(self._into, 0, end + 2)
        assert length is not None
        while came < end + 4 + int(length[1]):
            came += self._socket.recv_into(into[came:])


def rate(ask: Callable[[], object], seconds: float) -> float:
    """Requests per second, one after another."""
    count, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < seconds:
        ask()
        count += 1
    return count / took


@dataclass(frozen=True)
class Compared:
    """Medians of the rates, and of their ratio with the ends of its interval."""

    ours: float
    ceiling: float
    ratio: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"ratio {self.ratio:.2f} ({self.low:.2f} to {self.high:.2f})"


def in_pairs(ours: Callable[[], object], ceiling: Callable[[], object], chosen: argparse.Namespace) -> Compared:
    found: list[tuple[float, float]] = []
    for ask in (ours, ceiling):
        rate(ask, 0.5)
    for number in range(chosen.pairs):
        rates = {}
        for ask in (ours, ceiling) if number % 2 else (ceiling, ours):
            for _ in range(AFTER_A_SWITCH):
                ask()
            rates[ask] = rate(ask, chosen.seconds)
        found.append((rates[ours], rates[ceiling]))
    ratios = sorted(own / bare for own, bare in found)
    # The median lies between these two with 95 % (the normal approximation of the binomial).
    outside = max(0, math.floor(len(ratios) / 2 - 0.98 * math.sqrt(len(ratios))))
    own, bare = (statistics.median(each) for each in zip(*found, strict=True))
    return Compared(own, bare, statistics.median(ratios), ratios[outside], ratios[-1 - outside])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.25)
    parser.add_argument("--pairs", type=int, default=60)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model, row = trained(folder)
        with echo(folder) as echo_url, cloche(folder, model, row) as ours:
            keys = json.loads((folder / "data" / "keys" / "root.json").read_text())
            url = ours.url.partition("/endpoints/")[0]
            client = clients(url, keys)
            deploy_script(client)
            measure(client["sagemaker-runtime"], clients(echo_url, keys)["sagemaker-runtime"], row, chosen)
            measure_payload(url, echo_url, keys, chosen)
            client["sagemaker"].delete_endpoint(EndpointName="echo")


def measure(own: Any, bare: Any, row: str, chosen: argparse.Namespace) -> None:
    def asker(runtime: Any) -> Callable[[], object]:
        ask = runtime.invoke_endpoint
        return lambda: ask(EndpointName="benchmark", Body=row, ContentType="text/csv")["Body"].read()

    found = in_pairs(asker(own), asker(bare), chosen)
    print(f"one row through boto3: {found.ours:,.0f}/s, the echo {found.ceiling:,.0f}/s, {found}", flush=True)


def measure_payload(url: str, echo_url: str, keys: dict[str, str], chosen: argparse.Namespace) -> None:
    body = "1" * PAYLOAD_BYTES
    path = "/endpoints/echo/invocations"
    headers = signed_request(url + path, body, keys, {"Content-Type": "application/octet-stream"})
    own, bare = (RawClient(each + path, headers, body.encode()) for each in (url, echo_url))
    found = in_pairs(own.ask, bare.ask, chosen)
    ours, ceiling = (each * 2 * PAYLOAD_BYTES / 1e6 for each in (found.ours, found.ceiling))
    print(f"6 MiB there and back: {ours:,.0f} MB/s, the echo {ceiling:,.0f} MB/s, {found}")


if __name__ == "__main__":
    main()
