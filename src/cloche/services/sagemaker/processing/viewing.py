"""From a processing job's record to what DescribeProcessingJob and ListProcessingJobs show beyond the request.

Defaults that AWS fills in are shown as AWS shows them: the inputs and outputs that the SDK printed from real jobs
(notebooks of aws/amazon-sagemaker-examples on Clarify) name ``AppManaged`` and every mode.
"""

from __future__ import annotations

from cloche.aws.operation import Members
from cloche.engines.processing import from_document
from cloche.foundation.clock import from_epoch
from cloche.services.sagemaker.processing.planning import INPUT_DEFAULTS, MAX_RUNTIME_SECONDS_DEFAULT
from cloche.storage.metadata.records import Record


def view_processing_job(record: Record) -> Members:
    request = record.request
    state = from_document(record.status, record.state)
    outputs = request.get("ProcessingOutputConfig")
    return {
        "ProcessingInputs": [_input(each) for each in request.get("ProcessingInputs") or ()] or None,
        "ProcessingOutputConfig": outputs
        and {**outputs, "Outputs": [{"AppManaged": False, **each} for each in outputs["Outputs"]]},
        "StoppingCondition": request.get("StoppingCondition") or {"MaxRuntimeInSeconds": MAX_RUNTIME_SECONDS_DEFAULT},
        "ProcessingStartTime": None if state.started_at is None else from_epoch(state.started_at),
        **view_summary(record),
    }


def view_summary(record: Record) -> Members:
    state = from_document(record.status, record.state)
    return {
        "ProcessingEndTime": None if state.ended_at is None else from_epoch(state.ended_at),
        "ExitMessage": state.exit_message,
        "FailureReason": state.failure_reason,
    }


def _input(input: Members) -> Members:
    shown = {"AppManaged": False, **input}
    if input.get("S3Input"):
        shown["S3Input"] = {**INPUT_DEFAULTS, **input["S3Input"]}
    return shown
