"""What data capture costs: InvokeEndpoint, one row, signed, of an endpoint that captures everything and of two that
capture nothing, in turns.

All are in one server and serve the same model, each in a process of its own. Each round loads one after the other; the
figures are the medians of the rounds' ratios to the first: of requests a second, and of the processor time that the
server takes for a request, delivery to S3 included (which other work on the machine disturbs less). What the second of
those that capture nothing differs from the first is what two model servers differ by chance. In the end every answer
must lie in S3, once.

    python benchmarks/data_capture.py [--seconds 1] [--rounds 21] [--clients 1 8 32]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from invoke import TRAIN, Subject, clients, cloche, peer_python, signed

CAPTURE = {
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://benchmark/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
}


def twin(plain: Subject, client: dict[str, Any], keys: dict[str, str], name: str, **capture: Any) -> Subject:
    """Another endpoint of the same model."""
    variant = {"VariantName": "AllTraffic", "ModelName": "benchmark", "InstanceType": "ml.m5.large"}
    sagemaker = client["sagemaker"]
    sagemaker.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=[{**variant, "InitialInstanceCount": 1}], **capture
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig={"Delay": 1})
    url = plain.url.replace("/benchmark/", f"/{name}/")
    return Subject(name, url, signed(url, plain.row, keys), plain.row)


def captured_count(s3: Any) -> int:
    """Records in S3; each line must be one, and no event may be there twice."""
    found: set[str] = set()
    lines = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="benchmark", Prefix="captured/"):
        for each in page.get("Contents", ()):
            text = s3.get_object(Bucket="benchmark", Key=each["Key"])["Body"].read().decode()
            assert text.endswith("\n"), each["Key"]
            ids = re.findall(r'"eventId":"([^"]+)"', text)
            found.update(ids)
            lines += text.count("\n")
            assert len(ids) == text.count("\n")
    assert len(found) == lines, "captured twice"
    return lines


def answered_count(client: dict[str, Any]) -> int:
    """What the endpoint's own metric says: wrk counts no answers that came after its end."""
    now = time.time()
    points = client["cloudwatch"].get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName="Invocations",
        Dimensions=[{"Name": "EndpointName", "Value": "captured"}, {"Name": "VariantName", "Value": "AllTraffic"}],
        StartTime=now - 86_400,
        EndTime=now + 60,
        Period=86_400,
        Statistics=["Sum"],
    )["Datapoints"]
    return int(sum(point["Sum"] for point in points))


def processor_seconds(pid: int) -> float:
    """What the process has used of all cores."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(subject: Subject, clients_: int, seconds: int, folder: Path) -> tuple[float, float]:
    """Requests a second, and microseconds of the server for each."""
    pid = json.loads((folder / "data" / "server.json").read_text())["pid"]
    before = processor_seconds(pid)
    rate = subject.measure(clients_, seconds, folder).requests_per_second
    return rate, (processor_seconds(pid) - before) / (rate * seconds) * 1e6


def compare(subjects: tuple[Subject, ...], chosen: argparse.Namespace, folder: Path) -> None:
    """The first is what the others are held against."""
    first, *others = subjects
    for subject in subjects:
        subject.measure(8, 1.0, folder)
    print(f"{os.cpu_count()} cores; {chosen.rounds} rounds of {chosen.seconds:g} s each, in turns")
    print(f"{'clients':>8} {'':>13} {'':>10} {'of them':>10} {'captured none':>14} {'ratio':>7} {'of the rounds':>15}")
    for clients_ in chosen.clients:
        rounds: list[dict[str, tuple[float, float]]] = []
        for number in range(chosen.rounds):
            order = [subjects[(number + at) % len(subjects)] for at in range(len(subjects))]
            rounds.append({subject.name: measured(subject, clients_, chosen.seconds, folder) for subject in order})
        for which, title in enumerate(("requests/s", "µs of server")):
            for other in others:
                of_first, of_other = (
                    statistics.median(found[name][which] for found in rounds) for name in (first.name, other.name)
                )
                ratios = sorted(found[other.name][which] / found[first.name][which] for found in rounds)
                spread = f"{ratios[len(ratios) // 4]:.3f}-{ratios[-1 - len(ratios) // 4]:.3f}"
                print(
                    f"{clients_:>8} {title:>13} {other.name:>10} {of_other:>10,.1f} {of_first:>14,.1f} "
                    f"{statistics.median(ratios):>7.3f} {spread:>15}",
                    flush=True,
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = folder / "model.ubj"
        train = [str(peer_python()), "-c", TRAIN, str(model)]
        row = subprocess.run(train, capture_output=True, text=True, check=True).stdout.strip().splitlines()[-1]
        with cloche(folder, model, row) as plain:
            url = plain.url.partition("/endpoints/")[0]
            keys = json.loads((folder / "data" / "keys" / "root.json").read_text())
            client = clients(url, keys)
            control = twin(plain, client, keys, "control")
            captured = twin(plain, client, keys, "captured", DataCaptureConfig=CAPTURE)
            compare((plain, control, captured), chosen, folder)
            for name in ("control", "captured"):
                client["sagemaker"].delete_endpoint(EndpointName=name)
            time.sleep(15)  # what is captured is delivered within ten seconds, and metrics are written every five
            answers, records = answered_count(client), captured_count(client["s3"])
            print(f"{answers:,} answers, {records:,} records in S3{'' if answers == records else ': NOT THE SAME'}")


if __name__ == "__main__":
    main()
