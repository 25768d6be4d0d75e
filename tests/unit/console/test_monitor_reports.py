"""Reports are objects that anybody may have written: what is in them is shown as far as it makes sense."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from cloche.aws.errors import AwsError
from cloche.console.monitors import MonitorPages

JOB = {
    "ProcessingOutputConfig": {"Outputs": [{"S3Output": {"S3Uri": "s3://b/report/"}}]},
    "ProcessingInputs": [{"InputName": "baseline", "S3Input": {"S3Uri": "s3://b/statistics.json"}}],
    "ExitMessage": "done",
}
GOOD = {"features": [{"name": "a", "inferred_type": "Fractional"}], "dataset": {"item_count": 3}}


def report(files: dict[str, bytes]) -> Any:
    async def ask(service: str, operation: str, members: dict[str, Any]) -> dict[str, Any]:
        if operation == "DescribeProcessingJob":
            return JOB
        body = files.get(members["Key"])
        if body is None:
            raise AwsError("NoSuchKey", "The specified key does not exist.", 404)
        return {"ContentLength": len(body), "Body": body}

    return asyncio.run(MonitorPages(ask, None)._report("job"))  # type: ignore[arg-type]


def test_a_report_without_files_is_empty() -> None:
    found = report({})
    assert (found["message"], found["violations"], found["pictures"], found["records"]) == ("done", [], [], None)


@pytest.mark.parametrize(
    "statistics",
    [
        b"",
        b"not json",
        b"[1, 2]",
        b'{"features": 3}',
        b'{"features": [{}]}',
        b'{"features": [3], "dataset": 4}',
        b'{"features": [{"name": "a", "numerical_statistics": {"distribution": {"kll": {"buckets": [{}]}}}}]}',
        b'{"regression_metrics": [1], "features": []}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_documents_that_make_no_sense_are_passed_over(statistics: bytes) -> None:
    found = report(
        {"report/statistics.json": statistics, "report/constraint_violations.json": b'{"violations": [1, "x"]}'}
    )
    assert (found["violations"], found["pictures"], found["metrics"]) == ([], [], [])


def test_what_makes_sense_is_shown() -> None:
    violations = {"violations": [{"feature_name": "a"}, {"feature_name": "a"}]}
    files = {"report/statistics.json": GOOD, "statistics.json": GOOD, "report/constraint_violations.json": violations}
    found = report({name: json.dumps(document).encode() for name, document in files.items()})
    assert (found["records"], [picture.violations for picture in found["pictures"]]) == (3, [2])
