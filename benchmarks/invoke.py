"""InvokeEndpoint, one row, XGBoost, signed: against the same model behind a hand-written FastAPI+uvicorn app.

Both run on this machine, one process of theirs at a time under load, in turns, so that whatever else the machine does
hits both. The load is wrk's, with one signed request (a signature holds for 15 minutes) at 1, 8 and 32 clients;
answers other than 2xx void the run. The peer has an environment of its own below the user's cache folder.

    python benchmarks/invoke.py [--seconds 4] [--rounds 3] [--clients 1 8 32]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
PACKAGES = ["fastapi==0.121.2", "uvicorn==0.38.0", "uvloop", "httptools", "xgboost==1.7.6", "scikit-learn==1.4.2"]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cloche" / "benchmarks"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}

TRAIN = """
import sys, xgboost
from sklearn.datasets import load_breast_cancer
data = load_breast_cancer()
booster = xgboost.train({"objective": "binary:logistic", "max_depth": 5, "eta": 0.2, "seed": 1},
                        xgboost.DMatrix(data.data, label=data.target), 100)
booster.save_model(sys.argv[1])
print(",".join(map(repr, data.data[0].tolist())))
"""

PEER = """
import sys
import numpy, uvicorn, xgboost
from fastapi import FastAPI, Request, Response

app = FastAPI()
booster = xgboost.Booster({"nthread": 1})
booster.load_model(sys.argv[1])
booster.set_param({"nthread": 1})

@app.get("/ping")
async def ping():
    return Response()

@app.post("/invocations")
async def invocations(request: Request):
    body = await request.body()
    rows = numpy.array([line.split(",") for line in body.decode().splitlines()], dtype=numpy.float32)
    answers = booster.inplace_predict(rows)
    return Response("\\n".join(map(str, answers.tolist())), media_type="text/csv")

uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)
"""


@dataclass(frozen=True)
class Figures:
    requests_per_second: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Subject:
    name: str
    url: str
    headers: dict[str, str]
    row: str

    def script(self) -> str:
        """What wrk is to send, in Lua."""
        lines = [f'wrk.method = "POST"\nwrk.body = {json.dumps(self.row)}']
        lines += [f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in self.headers.items()]
        return "\n".join(lines) + "\n"

    def measure(self, clients: int, seconds: float, folder: Path) -> Figures:
        """wrk on one thread. Raises ``SystemExit`` when an answer was no success."""
        script = folder / f"{self.name}.lua"
        script.write_text(self.script())
        command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds:g}s", "--latency", "-s", str(script), self.url]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        if "Non-2xx" in said or "Socket errors" in said:
            sys.exit(f"{self.name} failed under load:\n{said}")
        per_second = re.search(r"Requests/sec:\s+([\d.]+)", said)
        assert per_second is not None, said
        return Figures(float(per_second[1]), _latency(said, "50%"), _latency(said, "99%"))


def _latency(said: str, which: str) -> float:
    match = re.search(rf"{which}\s+([\d.]+)(us|ms|s)\b", said)
    assert match is not None, said
    return float(match[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[match[2]]


def peer_environment(name: str, packages: list[str]) -> Path:
    """The interpreter of a peer's environment, built once by uv."""
    home = CACHE / name
    python, stamp = home / "bin" / "python", home / "packages"
    if not stamp.exists() or stamp.read_text() != "\n".join(packages):
        shutil.rmtree(home, ignore_errors=True)
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, str(home)], check=True)
        subprocess.run([*uv, "pip", "install", "--quiet", "--python", str(python), *packages], check=True)
        stamp.write_text("\n".join(packages))
    return python


def peer_python() -> Path:
    return peer_environment("invoke", PACKAGES)


def trained(folder: Path) -> tuple[Path, str]:
    """The model that all serve, and a row to ask it about."""
    model = folder / "model.ubj"
    train = [str(peer_python()), "-c", TRAIN, str(model)]
    said = subprocess.run(train, capture_output=True, text=True, check=True).stdout
    return model, said.strip().splitlines()[-1]


@contextlib.contextmanager
def peer(folder: Path, model: Path, row: str) -> Iterator[Subject]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = folder / "peer.py"
    program.write_text(PEER)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([str(peer_python()), str(program), str(model), str(port)], env=environment)
    try:
        _await(f"http://127.0.0.1:{port}/ping", process)
        yield Subject("fastapi", f"http://127.0.0.1:{port}/invocations", {"Content-Type": "text/csv"}, row)
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def cloche(folder: Path, model: Path, row: str) -> Iterator[Subject]:
    data = folder / "data"
    command = [sys.executable, "-m", "cloche.cli.main", "up", "--port", "0", "--data", str(data)]
    with (folder / "cloche.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    client: dict[str, Any] = {}
    try:
        said = _server(data, process)
        url = f"http://127.0.0.1:{said['port']}"
        keys = json.loads((data / "keys" / "root.json").read_text())
        client = clients(url, keys)
        deploy(client, model, folder)
        path = f"{url}/endpoints/benchmark/invocations"
        yield Subject("cloche", path, signed(path, row, keys), row)
    finally:
        if client:
            client["sagemaker"].delete_endpoint(EndpointName="benchmark")
            _until_gone(client["sagemaker"])
        process.terminate()
        process.wait()


def clients(url: str, keys: dict[str, str]) -> dict[str, Any]:
    import boto3

    names = ("s3", "iam", "sagemaker", "sagemaker-runtime", "cloudwatch")
    access = {"aws_access_key_id": keys["AccessKeyId"], "aws_secret_access_key": keys["SecretAccessKey"]}
    return {name: boto3.client(name, region_name="us-east-1", endpoint_url=url, **access) for name in names}


def deploy(client: dict[str, Any], model: Path, folder: Path) -> None:
    archive = folder / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(model, "xgboost-model")
    client["s3"].create_bucket(Bucket="benchmark")
    client["s3"].upload_file(str(archive), "benchmark", "model.tar.gz")
    role = client["iam"].create_role(RoleName="Benchmark", AssumeRolePolicyDocument=json.dumps(TRUST))
    sagemaker = client["sagemaker"]
    sagemaker.create_model(
        ModelName="benchmark",
        PrimaryContainer={"Image": IMAGE, "ModelDataUrl": "s3://benchmark/model.tar.gz"},
        ExecutionRoleArn=role["Role"]["Arn"],
    )
    variant = {"VariantName": "AllTraffic", "ModelName": "benchmark", "InstanceType": "ml.m5.large"}
    sagemaker.create_endpoint_config(
        EndpointConfigName="benchmark", ProductionVariants=[{**variant, "InitialInstanceCount": 1}]
    )
    sagemaker.create_endpoint(EndpointName="benchmark", EndpointConfigName="benchmark")
    sagemaker.get_waiter("endpoint_in_service").wait(
        EndpointName="benchmark", WaiterConfig={"Delay": 1, "MaxAttempts": 900}
    )


def _until_gone(sagemaker: Any) -> None:
    for _ in range(300):
        if not sagemaker.list_endpoints()["Endpoints"]:
            return
        time.sleep(0.1)


def signed(url: str, row: str, keys: dict[str, str]) -> dict[str, str]:
    """The headers boto3 would send for this request."""
    return signed_request(url, row, keys, {"Content-Type": "text/csv"})


def signed_request(
    url: str, body: str, keys: dict[str, str], headers: dict[str, str], service: str = "sagemaker"
) -> dict[str, str]:
    """``headers`` and those that sign them for that service."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    request = AWSRequest("POST", url, headers=headers, data=body.encode())
    SigV4Auth(Credentials(keys["AccessKeyId"], keys["SecretAccessKey"]), service, "us-east-1").add_auth(request)
    return dict(request.headers.items())


def _await(url: str, process: subprocess.Popen[Any]) -> None:
    for _ in range(600):
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.05)
    sys.exit(f"{url} did not come up")


def _server(data: Path, process: subprocess.Popen[Any]) -> dict[str, Any]:
    for _ in range(600):
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError, ValueError):
            said: dict[str, Any] = json.loads((data / "server.json").read_text())
            _await(f"http://127.0.0.1:{said['port']}/_cloche/health", process)
            return said
        time.sleep(0.05)
    sys.exit("cloche did not start: " + (data.parent / "cloche.log").read_text())


def median(figures: list[Figures]) -> Figures:
    return Figures(
        statistics.median(each.requests_per_second for each in figures),
        statistics.median(each.p50_ms for each in figures),
        statistics.median(each.p99_ms for each in figures),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model, row = trained(folder)
        with peer(folder, model, row) as theirs, cloche(folder, model, row) as ours:
            measure_both(theirs, ours, chosen, folder)


def measure_both(theirs: Subject, ours: Subject, chosen: argparse.Namespace, folder: Path) -> None:
    for subject in (theirs, ours):
        subject.measure(8, 1.0, folder)
    print(f"{os.cpu_count()} cores; medians of {chosen.rounds} rounds of {chosen.seconds:g} s, in turns")
    print(f"{'clients':>8} {'':>8} {'requests/s':>11} {'p50 ms':>8} {'p99 ms':>8}")
    for clients_ in chosen.clients:
        found: dict[str, list[Figures]] = {theirs.name: [], ours.name: []}
        for _ in range(chosen.rounds):
            for subject in (theirs, ours):
                found[subject.name].append(subject.measure(clients_, chosen.seconds, folder))
        peer_, own = median(found[theirs.name]), median(found[ours.name])
        for title, each in ((theirs.name, peer_), (ours.name, own)):
            print(
                f"{clients_:>8} {title:>8} {each.requests_per_second:>11,.0f} {each.p50_ms:>8.3f} {each.p99_ms:>8.3f}"
            )
        ratio = own.requests_per_second / peer_.requests_per_second
        print(f"{clients_:>8} {'ratio':>8} {ratio:>11.2f} {own.p50_ms / peer_.p50_ms:>8.2f}", flush=True)


if __name__ == "__main__":
    main()
