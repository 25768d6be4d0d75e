"""A model that serves, is captured and is monitored, for an hour: no request lost, and memory flat.

An endpoint is asked at a steady rate, every request captured. Every minute or so an hour of Cloche's clock passes, and
the monitor looks at the hour before: every third hour another unit is sent, which it must see. In the end every answer
must lie in S3, once, under its inference id; the executions must have come hour by hour; and after ``--warm-up`` the
server's resident and anonymous memory may not have left its median by more than 5 %.

    python benchmarks/soak_monitored.py [--minutes 60] [--warm-up 10] [--rate 200] [--hour-seconds 60] [--every 5]
                                        [--directory DIR] [--samples FILE]

Exits with 1 where a request was lost or failed, an execution was not as it should be, or memory was not flat.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from invoke import IMAGE, TRUST, _server
from soak import Sample, report, sample
from soak_loads import Soak, train

LANES = 4
ANALYZER = "156813124566.dkr.ecr.us-east-1.amazonaws.com/sagemaker-model-monitor-analyzer"
ML = "/opt/ml/processing"
CLUSTER = {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}}
HOUR_TO_DRIFT_IN = 3


def row(dice: random.Random) -> str:
    return ",".join(str(dice.randrange(most)) for most in (500, 3, 5, 11))


class Traffic:
    """Requests of so many lanes, each under an inference id of its own; ``answered`` counts those of each lane."""

    def __init__(self) -> None:
        self.answered = [0] * LANES
        self.drifts = False

    def lane(self, number: int) -> Callable[[Soak], Callable[[int], None]]:
        def make(soak: Soak) -> Callable[[int], None]:
            runtime, dice = soak.client("sagemaker-runtime"), random.Random(number)

            def call(_: int) -> None:
                body = row(dice)
                if self.drifts:
                    first, _, rest = body.partition(",")
                    body = f"{int(first) + 100_000},{rest}"
                id = f"{number}-{self.answered[number] + 1}"
                answer = runtime.invoke_endpoint(EndpointName="soak", ContentType="text/csv", Body=body, InferenceId=id)
                float(answer["Body"].read())
                self.answered[number] += 1

            return call

        return make


def prepare(soak: Soak) -> None:
    s3, sagemaker = soak.client("s3"), soak.client("sagemaker")
    s3.create_bucket(Bucket="soak")
    rows = "".join(f"{n % 7},{n},{n % 3},{n % 5},{n % 11}\n" for n in range(500))
    s3.put_object(Bucket="soak", Key="train/rows.csv", Body=rows.encode())
    role = soak.client("iam").create_role(RoleName="Soak", AssumeRolePolicyDocument=json.dumps(TRUST))
    soak.role = role["Role"]["Arn"]
    container = {"Image": IMAGE, "ModelDataUrl": train(sagemaker, soak.role, 0)}
    sagemaker.create_model(ModelName="soak", PrimaryContainer=container, ExecutionRoleArn=soak.role)
    variant = {"VariantName": "A", "ModelName": "soak", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(
        EndpointConfigName="soak",
        ProductionVariants=[variant],
        DataCaptureConfig={
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": "s3://soak/captured",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
        },
    )
    sagemaker.create_endpoint(EndpointName="soak", EndpointConfigName="soak")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="soak", WaiterConfig={"Delay": 1, "MaxAttempts": 600})
    _watch(soak, sagemaker, s3)


def _watch(soak: Soak, sagemaker: Any, s3: Any) -> None:
    """A baseline of what is going to be asked (the answer first, as it is captured), and a monitor of every hour."""
    runtime, dice = soak.client("sagemaker-runtime"), random.Random(0)
    lines = ["score,a,b,c,d"]
    for _ in range(2_000):
        body = row(dice)
        answer = runtime.invoke_endpoint(EndpointName="soak", ContentType="text/csv", Body=body, InferenceId="baseline")
        lines.append(f"{answer['Body'].read().decode().strip()},{body}")
    s3.put_object(Bucket="soak", Key="baseline/rows.csv", Body="\n".join(lines).encode())
    sagemaker.create_processing_job(
        ProcessingJobName="baseline",
        RoleArn=soak.role,
        AppSpecification={"ImageUri": ANALYZER},
        Environment={
            "dataset_source": f"{ML}/input/rows",
            "output_path": f"{ML}/output",
            "dataset_format": json.dumps({"csv": {"header": True, "output_columns_position": "START"}}),
            "publish_cloudwatch_metrics": "Disabled",
        },
        ProcessingInputs=[
            {
                "InputName": "rows",
                "S3Input": {
                    "S3Uri": "s3://soak/baseline/rows.csv",
                    "LocalPath": f"{ML}/input/rows",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
        ],
        ProcessingOutputConfig={
            "Outputs": [
                {
                    "OutputName": "o",
                    "S3Output": {
                        "S3Uri": "s3://soak/baseline/out",
                        "LocalPath": f"{ML}/output",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
        ProcessingResources=CLUSTER,
    )
    while (job := sagemaker.describe_processing_job(ProcessingJobName="baseline"))["ProcessingJobStatus"] not in (
        "Completed",
        "Failed",
    ):
        time.sleep(0.5)
    assert job["ProcessingJobStatus"] == "Completed", job
    sagemaker.create_data_quality_job_definition(
        JobDefinitionName="soak",
        DataQualityBaselineConfig={
            "ConstraintsResource": {"S3Uri": "s3://soak/baseline/out/constraints.json"},
            "StatisticsResource": {"S3Uri": "s3://soak/baseline/out/statistics.json"},
        },
        DataQualityAppSpecification={"ImageUri": ANALYZER},
        DataQualityJobInput={"EndpointInput": {"EndpointName": "soak", "LocalPath": f"{ML}/input/endpoint"}},
        DataQualityJobOutputConfig={
            "MonitoringOutputs": [{"S3Output": {"S3Uri": "s3://soak/reports", "LocalPath": f"{ML}/output"}}]
        },
        JobResources=CLUSTER,
        RoleArn=soak.role,
    )
    sagemaker.create_monitoring_schedule(
        MonitoringScheduleName="soak",
        MonitoringScheduleConfig={
            "ScheduleConfig": {"ScheduleExpression": "cron(0 * ? * * *)"},
            "MonitoringJobDefinitionName": "soak",
            "MonitoringType": "DataQuality",
        },
    )


class Hours(threading.Thread):
    """Cloche's hours, each so many real seconds."""

    def __init__(self, data: Path, traffic: Traffic, seconds: float, stop: threading.Event) -> None:
        super().__init__()
        self.data, self.traffic, self.seconds, self.stop = data, traffic, seconds, stop
        self.passed = 0
        self.longest = 0.0
        self.failed = ""

    def run(self) -> None:
        while not self.stop.wait(self.seconds):
            self.advance()
            self.traffic.drifts = self.passed % HOUR_TO_DRIFT_IN == HOUR_TO_DRIFT_IN - 1

    def advance(self) -> None:
        began = time.monotonic()
        command = [sys.executable, "-m", "cloche.cli.main", "clock", "advance", "1h", "--data", str(self.data)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.failed = self.failed or (done.stderr if done.returncode else "")
        self.passed += 1
        self.longest = max(self.longest, time.monotonic() - began)


def judge_executions(soak: Soak, hours: Hours) -> bool:
    """Hour by hour, none twice, none failed (but the first, whose hour may have been before the first request)."""
    pages = soak.client("sagemaker").get_paginator("list_monitoring_executions")
    listed = [each for page in pages.paginate() for each in page["MonitoringExecutionSummaries"]]
    listed.sort(key=lambda each: each["ScheduledTime"])
    statuses = Counter(each["MonitoringExecutionStatus"] for each in listed)
    times = [each["ScheduledTime"].timestamp() for each in listed]
    gaps = {later - earlier for earlier, later in pairwise(times)}
    told = ", ".join(f"{name} {count}" for name, count in sorted(statuses.items()))
    print(f"{hours.passed} hours passed, the longest in {hours.longest:.1f} s; {len(listed)} executions: {told}")
    for each in listed[1:]:
        if each["MonitoringExecutionStatus"] not in ("Completed", "CompletedWithViolations"):
            print(f"FAILED: {each['ScheduledTime']}: {each.get('FailureReason')}")
    good = gaps <= {3600.0} and abs(len(listed) - hours.passed) <= 1 and not hours.failed
    good &= statuses["Completed"] + statuses["CompletedWithViolations"] >= len(listed) - 1
    if hours.passed > HOUR_TO_DRIFT_IN + 1:
        good &= statuses["CompletedWithViolations"] > 0
    if hours.failed:
        print(f"FAILED: the clock: {hours.failed}")
    return good


def judge_captures(soak: Soak, traffic: Traffic) -> bool:
    """Every answer is in S3, once. Numbers of a lane follow one another, so a set of bits is enough to know."""
    s3 = soak.client("s3")
    seen = [bytearray(count + 2) for count in traffic.answered]
    twice = files = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="soak", Prefix="captured/"):
        for each in page.get("Contents", ()):
            files += 1
            text = s3.get_object(Bucket="soak", Key=each["Key"])["Body"].read().decode()
            assert text.endswith("\n"), each["Key"]
            for lane, number in re.findall(r'"inferenceId":"(\d+)-(\d+)"', text):
                if int(number) < len(seen[int(lane)]):
                    twice += seen[int(lane)][int(number)]
                    seen[int(lane)][int(number)] = 1
    lost = sum(count - sum(bits[1 : count + 1]) for count, bits in zip(traffic.answered, seen, strict=True))
    print(f"{sum(traffic.answered):,} answers, {lost} of them not captured, {twice} captured twice, {files:,} objects")
    return lost == 0 and twice == 0


def run(options: argparse.Namespace, folder: Path) -> bool:
    data = folder / "data"
    command = [sys.executable, "-m", "cloche.cli.main", "up", "--port", "0", "--data", str(data)]
    with (folder / "cloche.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        said = _server(data, process)
        keys = json.loads((data / "keys" / "root.json").read_text())
        soak, traffic = Soak(f"http://127.0.0.1:{said['port']}", keys, 1.0), Traffic()
        prepare(soak)
        hours = Hours(data, traffic, options.hour_seconds, soak.stop)
        lanes = [soak.repeat("invocations", options.rate / LANES, traffic.lane(number)) for number in range(LANES)]
        for thread in (*lanes, hours):
            thread.start()
        samples: list[Sample] = []
        began = time.monotonic()
        while (minute := (time.monotonic() - began) / 60) < options.minutes and process.poll() is None:
            samples.append(sample(process.pid, minute))
            if options.samples:
                options.samples.write_text(json.dumps([vars(each) for each in samples]))
            time.sleep(options.every)
        soak.stop.set()
        for thread in (*lanes, hours):
            thread.join()
        if process.poll() is not None:
            sys.exit("the server ended:\n" + (folder / "cloche.log").read_text()[-4_000:])
        print(f"{sum(traffic.answered) / (minute * 60):.0f} requests a second")
        hours.advance()
        judged = [judge_executions(soak, hours), judge_captures(soak, traffic)]
        soak.client("sagemaker").delete_monitoring_schedule(MonitoringScheduleName="soak")
        soak.client("sagemaker").delete_endpoint(EndpointName="soak")
        time.sleep(3)
        return all([*judged, report(soak, samples, min(options.warm_up, options.minutes / 2))])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--warm-up", type=float, default=10)
    parser.add_argument("--rate", type=float, default=200, help="requests a second")
    parser.add_argument("--hour-seconds", type=float, default=60, help="how long an hour of Cloche's clock is")
    parser.add_argument("--every", type=float, default=5, help="seconds between samples")
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--samples", type=Path, help="a file for all samples, as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as folder:
        sys.exit(0 if run(options, Path(folder)) else 1)


if __name__ == "__main__":
    main()
