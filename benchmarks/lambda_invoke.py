"""A warm Invoke over the wire, signed, beside a bare Unix socket's echo in a process of its own and beside Cloche's own
cheapest signed answer.

The function answers its event. What lies between it and the bare echo is HTTP, the signature, Lambda's rules and two
changes of process; one client asks, one question at a time, by a plain connection with one signed request. Concurrent
clients are asked for in a second round, where several environments answer side by side.

    python benchmarks/lambda_invoke.py [--seconds 3] [--rounds 3]
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
CODE = "def lambda_handler(event, context):\n    return event\n"
EVENT = b'{"number": 1}'
ECHO = """
import socket, struct, sys
line = socket.socket(socket.AF_UNIX); line.connect(sys.argv[1])
while True:
    head = line.recv(4, socket.MSG_WAITALL)
    if not head: break
    size, = struct.unpack(">I", head)
    line.sendall(head + line.recv(size, socket.MSG_WAITALL))
"""


@contextmanager
def cloche(data: Path) -> Iterator[dict[str, Any]]:
    """A server of its own, as arguments for boto3."""
    command = [sys.executable, "-m", "cloche.cli.main", "up", "--port", "0", "--data", str(data)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while not (data / "server.json").exists():
            time.sleep(0.05)
        said = json.loads((data / "server.json").read_text())
        root = json.loads((data / "keys" / "root.json").read_text())
        yield {
            "region_name": "us-east-1",
            "endpoint_url": f"http://127.0.0.1:{said['port']}",
            "aws_access_key_id": root["AccessKeyId"],
            "aws_secret_access_key": root["SecretAccessKey"],
        }
    finally:
        down = [sys.executable, "-m", "cloche.cli.main", "down", "--all", "--data", str(data)]
        subprocess.run(down, check=False, stdout=subprocess.DEVNULL)
        process.wait()


def make(keys: dict[str, Any]) -> None:
    import boto3

    role = boto3.client("iam", **keys).create_role(RoleName="echo", AssumeRolePolicyDocument=json.dumps(TRUST))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("lambda_function.py", CODE)
    client = boto3.client("lambda", **keys)
    client.create_function(
        FunctionName="echo",
        Runtime="python3.12",
        Role=role["Role"]["Arn"],
        Handler="lambda_function.lambda_handler",
        Code={"ZipFile": buffer.getvalue()},
    )
    client.get_waiter("function_active_v2").wait(FunctionName="echo", WaiterConfig={"Delay": 1})
    client.invoke(FunctionName="echo", Payload=EVENT)


def signed(keys: dict[str, Any], method: str, path: str, body: bytes, service: str) -> Callable[[], None]:
    """Asks once, over a connection that stays. The signature holds for a quarter of an hour."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    request = AWSRequest(method, keys["endpoint_url"] + path, data=body, headers={"Content-Type": "application/json"})
    credentials = Credentials(keys["aws_access_key_id"], keys["aws_secret_access_key"])
    SigV4Auth(credentials, service, keys["region_name"]).add_auth(request)
    headers = dict(request.headers.items())
    line = http.client.HTTPConnection(keys["endpoint_url"].removeprefix("http://"))

    def ask() -> None:
        line.request(method, path, body, headers)
        answer = line.getresponse()
        said = answer.read()
        assert answer.status == 200, said

    return ask


@contextmanager
def bare_echo(folder: Path) -> Iterator[Callable[[], None]]:
    listener = socket.socket(socket.AF_UNIX)
    path = str(folder / "s")
    listener.bind(path)
    listener.listen()
    process = subprocess.Popen([sys.executable, "-c", ECHO, path])
    line, _ = listener.accept()
    message = struct.pack(">I", len(EVENT)) + EVENT

    def ask() -> None:
        line.sendall(message)
        assert line.recv(len(message), socket.MSG_WAITALL) == message

    yield ask
    line.close()
    process.wait()
    listener.close()


def timed(ask: Callable[[], None], seconds: float) -> list[float]:
    """Seconds of each answer, for so long."""
    found, until = [], time.perf_counter() + seconds
    while (begin := time.perf_counter()) < until:
        ask()
        found.append(time.perf_counter() - begin)
    return found


def together(asks: list[Callable[[], None]], seconds: float) -> float:
    """Answers in a second to all of them side by side."""
    counts: list[int] = []
    threads = [threading.Thread(target=lambda a=ask: counts.append(len(timed(a, seconds)))) for ask in asks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def shown(name: str, rounds: list[list[float]]) -> float:
    """The median of the rounds' medians, in ms."""
    median = statistics.median(statistics.median(held) for held in rounds) * 1e3
    whole = sorted(sample for held in rounds for sample in held)
    print(f"{name:44} p50 {median:7.3f} ms   p99 {whole[int(len(whole) * 0.99)] * 1e3:7.3f} ms")
    return median


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cloche-bench-") as folder, cloche(Path(folder) / "data") as keys:
        make(keys)
        with bare_echo(Path(folder)) as echo:
            path = "/2015-03-31/functions/echo/invocations"
            invoke = signed(keys, "POST", path, EVENT, "lambda")
            settings = signed(keys, "GET", "/2015-03-31/functions/echo/configuration", b"", "lambda")
            held: dict[str, list[list[float]]] = {"invoke": [], "read": [], "echo": []}
            for _ in range(given.rounds):
                for name, ask in (("invoke", invoke), ("read", settings), ("echo", echo)):
                    held[name].append(timed(ask, given.seconds))
            warm = shown("Invoke, warm, 1 client", held["invoke"])
            shown("GetFunctionConfiguration, 1 client", held["read"])
            bare = shown("a bare Unix socket's echo", held["echo"])
            print(f"Invoke costs {warm - bare:.3f} ms more than the echo ({warm / bare:.1f} times)")
            asks = [signed(keys, "POST", path, EVENT, "lambda") for _ in range(8)]
            together(asks, 5.0)  # so that there are environments for all of them
            eight = together(asks, given.seconds)
            print(f"Invoke, 8 clients {eight:.0f}/s")


if __name__ == "__main__":
    main()
