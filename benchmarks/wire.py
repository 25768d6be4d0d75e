"""What speaking AWS costs: microseconds per CreateTrainingJob, beside botocore's own parser and serialiser.

    python benchmarks/wire.py

botocore does the same work from the other side (a client serialises requests and parses answers), interpreting
the model each time. The two are timed in turns, in one process; the ratios are what is worth keeping.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import orjson
from botocore.parsers import JSONParser
from botocore.serialize import JSONSerializer
from botocore.validate import ParamValidator

from cloche.aws import protocols, routing, validation
from cloche.aws.http import Headers, HttpRequest
from cloche.aws.model import load

CHANNELS = ("train", "validation")
JOB: dict[str, Any] = {
    "TrainingJobName": "demo-job-2026-11-25",
    "AlgorithmSpecification": {
        "TrainingImage": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",
        "TrainingInputMode": "File",
        "MetricDefinitions": [{"Name": "validation:auc", "Regex": ".*validation-auc:([0-9.]+)"}],
    },
    "RoleArn": "arn:aws:iam::123456789012:role/SageMakerRole",
    "InputDataConfig": [
        {
            "ChannelName": channel,
            "ContentType": "text/csv",
            "DataSource": {
                "S3DataSource": {
                    "S3DataType": "S3Prefix",
                    "S3Uri": f"s3://bucket/{channel}",
                    "S3DataDistributionType": "FullyReplicated",
                }
            },
        }
        for channel in CHANNELS
    ],
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/output"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    "HyperParameters": {"max_depth": "5", "eta": "0.2", "objective": "binary:logistic", "num_round": "100"},
    "Tags": [{"Key": "team", "Value": "ml"}],
}
SCOPE = "AWS4-HMAC-SHA256 Credential=AKID/20261125/us-east-1/sagemaker/aws4_request, SignedHeaders=host, Signature=00"


def request(path: str, body: bytes, **headers: str) -> HttpRequest:
    lines = [("host", "127.0.0.1:4566"), ("authorization", SCOPE)]
    return HttpRequest(
        "POST", path, "", Headers([*lines, *((k.replace("_", "-"), v) for k, v in headers.items())]), body
    )


def microseconds(*works: Callable[[], object], rounds: int = 40, each: int = 100) -> list[float]:
    """The best round of each, taken in turns."""
    best = [float("inf")] * len(works)
    for work in works:
        work()
    for _ in range(rounds):
        for at, work in enumerate(works):
            start = time.perf_counter()
            for _ in range(each):
                work()
            best[at] = min(best[at], (time.perf_counter() - start) / each * 1e6)
    return best


def main() -> None:
    service = load.service_model("sagemaker")
    create = service.operation_model("CreateTrainingJob")
    describe = service.operation_model("DescribeTrainingJob")
    asked = request("/", orjson.dumps(JOB), x_amz_target="SageMaker.CreateTrainingJob")
    invoked = request("/endpoints/demo/invocations", b"1,2,3", content_type="text/csv")
    shown = {**JOB, "TrainingJobArn": "arn:aws:sagemaker:us-east-1:1:training-job/a", "TrainingJobStatus": "Completed"}
    shown.pop("Tags")
    members = protocols.parse_request(service, create, "json", asked)
    answer = protocols.serialize_response(service, describe, "json", shown, asked, "id")
    raw = {"headers": {}, "status_code": 200, "body": answer.body, "context": {}}
    client_out, client_in, client_check = JSONSerializer(), JSONParser(), ParamValidator()
    rows = [
        (
            "read CreateTrainingJob | write it (botocore)",
            lambda: protocols.parse_request(service, create, "json", asked),
            lambda: client_out.serialize_to_request(JOB, create),
        ),
        (
            "validate it | check it (botocore: types, required, minima only)",
            lambda: validation.validate(service, create, members),
            lambda: client_check.validate(JOB, create.input_shape),
        ),
        (
            "write DescribeTrainingJob | read it (botocore)",
            lambda: protocols.serialize_response(service, describe, "json", shown, asked, "id"),
            lambda: client_in.parse(raw, describe.output_shape),
        ),
    ]
    print(f"{'':64s} {'Cloche':>9s} {'botocore':>9s} {'ratio':>6s}")
    for name, ours, theirs in rows:
        one, other = microseconds(ours, theirs)
        print(f"{name:64s} {one:7.1f}us {other:7.1f}us {other / one:5.1f}x")
    to_json, to_path = microseconds(lambda: routing.route(asked), lambda: routing.route(invoked))
    print(f"{'route a JSON target':64s} {to_json:7.1f}us")
    print(f"{'route POST /endpoints/…/invocations':64s} {to_path:7.1f}us")


if __name__ == "__main__":
    main()
