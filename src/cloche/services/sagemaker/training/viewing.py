"""From a training job's record to what DescribeTrainingJob and ListTrainingJobs show beyond the request.

Defaults that AWS fills in are shown as AWS shows them: docs.aws.amazon.com/sagemaker/latest/APIReference, pages
API_Channel, API_S3DataSource, API_StoppingCondition; answers of describe-training-job recorded in
aws/amazon-sagemaker-examples.
"""

from __future__ import annotations

from math import ceil
from typing import Any

from cloche.aws.operation import Members
from cloche.engines.training import TrainingState, Transition, from_document
from cloche.foundation.clock import from_epoch
from cloche.services.sagemaker.images import described_image
from cloche.services.sagemaker.training.planning import MAX_RUNTIME_SECONDS_DEFAULT, metric_definitions
from cloche.storage.metadata.records import Record


def view_training_job(record: Record) -> Members:
    request = record.request
    state = from_document(record.status, record.state)
    output = request["OutputDataConfig"]
    prefix = output["S3OutputPath"].rstrip("/")
    model = "model/" if output.get("CompressionType") == "NONE" else "model.tar.gz"
    return {
        "AlgorithmSpecification": _algorithm(request),
        "InputDataConfig": [_channel(each) for each in request.get("InputDataConfig") or ()] or None,
        "OutputDataConfig": {"KmsKeyId": "", **output},
        "StoppingCondition": {
            "MaxRuntimeInSeconds": MAX_RUNTIME_SECONDS_DEFAULT,
            **(request.get("StoppingCondition") or {}),
        },
        # The address is known from the beginning and always told: a required member of the answer.
        "ModelArtifacts": {"S3ModelArtifacts": f"{prefix}/{record.name}/output/{model}"},
        "EnableNetworkIsolation": bool(request.get("EnableNetworkIsolation")),
        "EnableInterContainerTrafficEncryption": bool(request.get("EnableInterContainerTrafficEncryption")),
        "EnableManagedSpotTraining": bool(request.get("EnableManagedSpotTraining")),
        "ProfilingStatus": "Disabled",
        "FinalMetricDataList": [
            {"MetricName": name, "Value": value, "Timestamp": from_epoch(at)} for name, value, at in state.metrics
        ]
        or None,
        "SecondaryStatusTransitions": [_transition(step) for step in state.transitions],
        "FailureReason": state.failure_reason,
        **view_summary(state, record.state.get("warm_pool")),
        **_times(state),
    }


def view_summary(state: TrainingState, pool: Members | None) -> Members:
    return {
        "WarmPoolStatus": _warm_pool(pool) if pool else None,
        "SecondaryStatus": state.secondary_status,
        "TrainingEndTime": None if state.ended_at is None else from_epoch(state.ended_at),
    }


def _warm_pool(pool: Members) -> Members:
    """Billed by the second for as long as it was available (dg/train-warm-pools.html, "Billing")."""
    shown: Members = {"Status": pool["status"]}
    if pool["available_at"] is not None and pool["ended_at"] is not None:
        shown["ResourceRetainedBillableTimeInSeconds"] = ceil(pool["ended_at"] - pool["available_at"])
    if pool["reused_by"] is not None:
        shown["ReusedByJob"] = pool["reused_by"]
    return shown


def _times(state: TrainingState) -> Members:
    if state.started_at is None:
        return {}
    times: Members = {"TrainingStartTime": from_epoch(state.started_at)}
    if state.ended_at is not None:
        # Billed by the second (aws.amazon.com/sagemaker/pricing): a second that was begun counts.
        times["TrainingTimeInSeconds"] = max(1, ceil(state.ended_at - state.started_at))
        times["BillableTimeInSeconds"] = max(1, ceil(state.billable_seconds))
    return times


def _transition(step: Transition) -> Members:
    return {
        "Status": step.status,
        "StartTime": from_epoch(step.started_at),
        "EndTime": None if step.ended_at is None else from_epoch(step.ended_at),
        "StatusMessage": step.message,
    }


def _algorithm(request: Members) -> Members:
    algorithm: dict[str, Any] = dict(request["AlgorithmSpecification"])
    definitions = metric_definitions(described_image(algorithm["TrainingImage"]), request)
    if definitions:
        algorithm["MetricDefinitions"] = definitions
    return algorithm


def _channel(channel: Members) -> Members:
    shown = {"CompressionType": "None", "RecordWrapperType": "None", **channel}
    if source := channel["DataSource"].get("S3DataSource"):
        shown["DataSource"] = {"S3DataSource": {"S3DataDistributionType": "FullyReplicated", **source}}
    return shown
