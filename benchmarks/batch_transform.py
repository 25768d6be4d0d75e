"""Rows a second of a transform job, beside a loop in one process that parses, predicts and writes the same CSV.

Both use the same XGBoost model and interpreter, in turns. The loop's time leaves out its imports; the job's is all of
it, from CreateTransformJob to Completed: its place, its model server's start, the storing of what came out. The job
runs plain, and once more with the input joined to the output. Their predictions are compared.

    python benchmarks/batch_transform.py [--rows 2000000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import boto3

from cloche.compute.images import EnvironmentBuilder
from cloche_jobs import catalog

TARGET = 0.6
MAKE = """
import sys
import numpy, xgboost
folder, count = sys.argv[1], int(sys.argv[2])
dice = numpy.random.default_rng(7)
rows = dice.normal(size=(20_000, 10)).round(3)
label = (rows[:, 0] + rows[:, 1] * rows[:, 2] > 0).astype(int)
options = {"objective": "binary:logistic", "max_depth": 4}
xgboost.train(options, xgboost.DMatrix(rows, label), 50).save_model(f"{folder}/xgboost-model")
lines = "".join(",".join(map(str, row)) + "\\n" for row in rows.tolist())
with open(f"{folder}/rows.csv", "w") as file:
    for _ in range(count // 20_000):
        file.write(lines)
"""
LOOP = """
import sys, time
import numpy, pandas, xgboost
folder = sys.argv[1]
booster = xgboost.Booster(model_file=f"{folder}/xgboost-model")
began = time.perf_counter()
with open(f"{folder}/loop.out", "w") as file:
    for part in pandas.read_csv(f"{folder}/rows.csv", header=None, chunksize=100_000, dtype=numpy.float32):
        file.write("\\n".join(map(repr, booster.inplace_predict(part.to_numpy()).tolist())) + "\\n")
print(time.perf_counter() - began)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    image = next(each for each in catalog.IMAGES if each.key == "sagemaker-xgboost:1.7-1")
    python = EnvironmentBuilder().ensure(image.environment).python
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        subprocess.run([str(python), "-c", MAKE, str(work), str(options.rows)], check=True)
        server, url = start(work)
        try:
            measure(work, python, image, url, options.rows // 20_000 * 20_000, options.rounds)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()


def start(work: Path) -> tuple[subprocess.Popen[bytes], str]:
    line = [sys.executable, "-m", "cloche.cli.main", "up", "--port", "0", "--data", str(work / "data")]
    server = subprocess.Popen(line, stdout=subprocess.DEVNULL)
    while True:
        try:
            port = json.loads((work / "data" / "server.json").read_text())["port"]
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_cloche/health")
            return server, f"http://127.0.0.1:{port}"
        except (OSError, ValueError):
            if server.poll() is not None:
                raise SystemExit("the server did not start") from None
            time.sleep(0.02)


def measure(work: Path, python: Path, image: catalog.Image, url: str, count: int, rounds: int) -> None:
    keys = json.loads((work / "data" / "keys" / "root.json").read_text())
    session = boto3.session.Session(keys["AccessKeyId"], keys["SecretAccessKey"], region_name="us-east-1")
    s3, sagemaker, iam = (session.client(name, endpoint_url=url) for name in ("s3", "sagemaker", "iam"))
    with tarfile.open(work / "model.tar.gz", "w:gz") as tar:
        tar.add(work / "xgboost-model", "xgboost-model")
    s3.create_bucket(Bucket="bench")
    s3.upload_file(str(work / "rows.csv"), "bench", "in/rows.csv")
    s3.upload_file(str(work / "model.tar.gz"), "bench", "model.tar.gz")
    container = {"Image": image.uri(), "ModelDataUrl": "s3://bench/model.tar.gz"}
    role = iam.list_roles()["Roles"][0]["Arn"]
    sagemaker.create_model(ModelName="bench", PrimaryContainer=container, ExecutionRoleArn=role)
    times: dict[str, list[float]] = {"loop": [], "job": [], "joined": []}
    for number in range(rounds):
        said = subprocess.run([str(python), "-c", LOOP, str(work)], check=True, capture_output=True, text=True).stdout
        times["loop"].append(float(said))
        times["job"].append(run_job(sagemaker, f"plain-{number}", {}))
        times["joined"].append(run_job(sagemaker, f"joined-{number}", {"JoinSource": "Input"}))
    compare(work, s3)
    report(times, count)


def run_job(sagemaker: Any, name: str, processing: dict[str, str]) -> float:
    began = time.perf_counter()
    sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName="bench",
        TransformInput={
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bench/in/"}},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        TransformOutput={"S3OutputPath": f"s3://bench/{name}", "Accept": "text/csv", "AssembleWith": "Line"},
        TransformResources={"InstanceType": "ml.m5.xlarge", "InstanceCount": 1},
        DataProcessing=processing,
    )
    while (job := sagemaker.describe_transform_job(TransformJobName=name))["TransformJobStatus"] == "InProgress":
        time.sleep(0.01)
    seconds = time.perf_counter() - began
    if job["TransformJobStatus"] != "Completed":
        raise SystemExit(job["FailureReason"])
    return seconds


def compare(work: Path, s3: Any) -> None:
    loop = (work / "loop.out").read_bytes()
    if s3.get_object(Bucket="bench", Key="plain-0/rows.csv.out")["Body"].read() != loop:
        raise SystemExit("the job and the loop do not predict the same")
    joined = s3.get_object(Bucket="bench", Key="joined-0/rows.csv.out")["Body"].read().splitlines()
    if [line.rpartition(b",")[2] for line in joined] != loop.splitlines():
        raise SystemExit("what was joined is not what was predicted")


def report(times: dict[str, list[float]], count: int) -> None:
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    print(f"machine: {os.cpu_count()} processors; {len(times['loop'])} rounds of {count:,} rows, medians")
    words = {"loop": "loop in one process", "job": "transform job, all of it", "joined": "the same, input joined"}
    for name, seconds in medians.items():
        ratio = medians["loop"] / seconds
        goal = f"   (target: {TARGET})" if name == "job" else ""
        print(f"{words[name]:<26}{seconds:8.2f} s {count / seconds:12,.0f} rows/s {ratio:6.2f}{goal}")


if __name__ == "__main__":
    main()
