"""Transform jobs: a model's answers to whole files."""

from __future__ import annotations

import sqlite3
from typing import ClassVar, Final

from cloche.aws.operation import Context, Members
from cloche.aws.resource import Fact, Resource, fact
from cloche.engines.quotas import Asked, transform_quota
from cloche.engines.transform import from_document
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import Conflict
from cloche.services.sagemaker.experiments.tracking import check_experiment_config
from cloche.services.sagemaker.training.transform_planning import check_transform_job, plan_transform_job
from cloche.storage.metadata.records import Record

ENDED: Final = fact(
    "ValidationException",
    "The request was rejected because the transform job is in status {status}.",
    source="the words of StopTrainingJob (awslabs/benchmark-ai#928)",
)


class TransformJob(Resource):
    """One pass of a model over the objects of a prefix."""

    operations: ClassVar = ("CreateTransformJob", "DescribeTransformJob", "ListTransformJobs", "StopTransformJob")
    arn: ClassVar = "transform-job/{TransformJobName}"
    status: ClassVar = "TransformJobStatus"
    listed_by: ClassVar[tuple[str, str]] = ("CreationTime", "Descending")
    missing: ClassVar[Fact] = fact(
        "ValidationException", "Requested resource not found.", source="boto/boto3#2808 (training jobs)"
    )
    duplicate: ClassVar[Fact] = fact(
        "ResourceInUse",
        "Transform job names must be unique within an AWS account and region, and a transform job with this name "
        "already exists ({arn})",
        source="code: the operation's errors in the model; words: CreateTrainingJob's (SuperCowPowers/workbench#384)",
    )

    def check(self, ctx: Context, request: Members) -> None:
        arn = self.arn_of(ctx, request["TransformJobName"])
        check_transform_job(ctx, plan_transform_job(ctx, ctx.parts.database.reader, arn, request))
        check_experiment_config(ctx, request.get("ExperimentConfig"))

    def created(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> None:
        plan = plan_transform_job(ctx, tx, record.arn, request)
        ctx.parts.quotas.use(tx, record.arn, [Asked(transform_quota(plan.instance_type), plan.instance_count)])
        ctx.parts.transforms.submit(tx, plan)

    def stopping(self, ctx: Context, tx: sqlite3.Connection, record: Record) -> None:
        try:
            ctx.parts.transforms.stop(tx, record.arn)
        except Conflict:
            raise ENDED.error(status=record.status) from None

    def shown(self, ctx: Context, record: Record) -> Members:
        """With the defaults that the API's reference states (API_TransformInput, API_TransformOutput,
        API_DataProcessing)."""
        request, state = record.request, from_document(record.state)
        return {
            "TransformInput": {"CompressionType": "None", "SplitType": "None", **request["TransformInput"]},
            "TransformOutput": {"AssembleWith": "None", "KmsKeyId": "", **request["TransformOutput"]},
            "DataProcessing": {
                "InputFilter": "$",
                "OutputFilter": "$",
                "JoinSource": "None",
                **(request.get("DataProcessing") or {}),
            },
            "TransformStartTime": None if state.started_at is None else from_epoch(state.started_at),
            **self.listed(ctx, record),
        }

    def listed(self, ctx: Context, record: Record) -> Members:
        state = from_document(record.state)
        return {
            "TransformEndTime": None if state.ended_at is None else from_epoch(state.ended_at),
            "FailureReason": state.failure_reason,
        }
