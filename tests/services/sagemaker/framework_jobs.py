"""Jobs of deep-learning images: a script in, a model out."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

from training_requests import BUCKET, LOG_GROUP, Bench

PYTORCH = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.8.0-cpu-py312"


def trained(
    bench: Bench,
    name: str,
    image: str,
    script: str,
    count: int,
    settings: dict[str, Any],
    resources: dict[str, Any] | None = None,
    **changes: Any,
) -> Any:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        info = tarfile.TarInfo("train.py")
        info.size = len(script.encode())
        tar.addfile(info, io.BytesIO(script.encode()))
    bench.s3.put_object(Bucket=BUCKET, Key=f"code/{name}.tar.gz", Body=packed.getvalue())
    parameters = {
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": f"s3://{BUCKET}/code/{name}.tar.gz",
        **settings,
    }
    return bench.create(
        name,
        AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"},
        HyperParameters={key: json.dumps(value) for key, value in parameters.items()},
        StoppingCondition={"MaxRuntimeInSeconds": 1800},
        ResourceConfig=resources or {"InstanceType": "ml.m5.large", "InstanceCount": count, "VolumeSizeInGB": 1},
        Environment={"OMP_NUM_THREADS": "1"},  # threads that wait for each other on a busy machine take minutes
        **changes,
    )


def completed(bench: Bench, name: str) -> dict[str, bytes]:
    """The files of the model that a job has left."""
    job = bench.ended(name, 550)
    assert job["TrainingJobStatus"] == "Completed", (job, said(bench, name))
    body = bench.s3.get_object(Bucket=BUCKET, Key=f"output/{name}/output/model.tar.gz")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        return {each.name: tar.extractfile(each).read() for each in tar if each.isfile()}  # type: ignore[union-attr]


def said(bench: Bench, name: str) -> str:
    streams = bench.logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=f"{name}/")["logStreams"]
    lines = []
    for stream in (stream["logStreamName"] for stream in streams):
        events = bench.logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=stream, startFromHead=True)["events"]
        lines += [event["message"] for event in events]
    return "\n".join(lines)
