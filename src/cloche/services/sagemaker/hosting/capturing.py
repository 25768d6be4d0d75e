"""``DataCaptureConfig`` of an endpoint: from the wire to the engine's plan, and what a description tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloche.aws.operation import Members
from cloche.engines.hosting import CapturePlan
from cloche.services.sagemaker.training.channels import address


def capture_plan(config: Members | None) -> CapturePlan | None:
    """Raises ``Invalid`` for a destination that is not in S3. That its bucket exists is not looked at before there is
    something to store, as in AWS, where it is the model's role that must be able to write there."""
    if not config:
        return None
    bucket, prefix = address(config["DestinationS3Uri"], "DataCaptureConfig.DestinationS3Uri")
    modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
    types = config.get("CaptureContentTypeHeader") or {}
    return CapturePlan(
        enabled=config.get("EnableCapture") is not False,
        percentage=config["InitialSamplingPercentage"],
        uri=config["DestinationS3Uri"],
        bucket=bucket,
        prefix=prefix.rstrip("/"),
        kms_key=config.get("KmsKeyId") or "",
        input=bool(modes & {"Input", "InputAndOutput"}),
        output=bool(modes & {"Output", "InputAndOutput"}),
        csv_types=_lowered(types.get("CsvContentTypes")),
        json_types=_lowered(types.get("JsonContentTypes")),
    )


def capture_summary(state: Mapping[str, Any] | None) -> Members | None:
    """``DataCaptureConfig`` of DescribeEndpoint. The model demands a ``KmsKeyId``; AWS leaves it out where none was
    given, and clients that believe the model break (aws/sagemaker-python-sdk#5738). An empty one serves both."""
    if state is None:
        return None
    plan = CapturePlan.of(state)
    return {
        "EnableCapture": plan.enabled,
        "CaptureStatus": "Started" if plan.enabled else "Stopped",
        "CurrentSamplingPercentage": plan.percentage,
        "DestinationS3Uri": plan.uri,
        "KmsKeyId": plan.kms_key,
    }


def _lowered(types: list[str] | None) -> tuple[str, ...]:
    return tuple(each.lower() for each in types or ())
