"""Processing jobs: one run of a program over files from S3."""

from __future__ import annotations

import sqlite3
from typing import ClassVar, Final

from cloche.aws.operation import Context, Members
from cloche.aws.resource import Fact, Resource, fact
from cloche.engines.quotas import Asked, processing_quota
from cloche.foundation.errors import Conflict
from cloche.services.sagemaker.experiments.tracking import check_experiment_config
from cloche.services.sagemaker.processing.planning import check_plan, plan_processing_job
from cloche.services.sagemaker.processing.viewing import view_processing_job, view_summary
from cloche.storage.metadata.records import Record

ENDED: Final = fact(
    "ValidationException",
    "The request was rejected because the processing job is in status {status}.",
    source="words of StopTrainingJob (awslabs/benchmark-ai#928), for this noun",
)
IN_USE: Final = fact(
    "ResourceInUse",
    "The processing job {name} is in status {status}: only a job that has ended can be deleted.",
    source="code: the operation's errors in the model; words: Cloche's own",
)


class ProcessingJob(Resource):
    """One run of a program over files from S3."""

    operations: ClassVar = (
        "CreateProcessingJob",
        "DescribeProcessingJob",
        "ListProcessingJobs",
        "DeleteProcessingJob",
        "StopProcessingJob",
    )
    arn: ClassVar = "processing-job/{ProcessingJobName}"
    status: ClassVar = "ProcessingJobStatus"
    listed_by: ClassVar[tuple[str, str]] = ("CreationTime", "Ascending")
    missing: ClassVar[Fact] = fact(
        "ValidationException",
        "Could not find requested job with name: {name}",
        source="answers of describe-processing-job and describe-monitoring-schedule as public test doubles have them",
    )
    duplicate: ClassVar[Fact] = fact(
        "ResourceInUse",
        "Processing job names must be unique within an AWS account and region, and a processing job with this name "
        "already exists ({arn})",
        source="words of CreateTrainingJob (SuperCowPowers/workbench#384), for this noun",
    )

    def check(self, ctx: Context, request: Members) -> None:
        check_plan(ctx, plan_processing_job(ctx, self.arn_of(ctx, request["ProcessingJobName"]), request))
        check_experiment_config(ctx, request.get("ExperimentConfig"))

    def created(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> None:
        plan = plan_processing_job(ctx, record.arn, request)
        instances = plan.instances
        ctx.parts.quotas.use(tx, record.arn, [Asked(processing_quota(instances.instance_type), instances.count)])
        ctx.parts.processing.submit(tx, plan)

    def stopping(self, ctx: Context, tx: sqlite3.Connection, record: Record) -> None:
        try:
            ctx.parts.processing.stop(tx, record.arn)
        except Conflict:
            raise ENDED.error(name=record.name, status=record.status) from None

    def deleted(self, ctx: Context, tx: sqlite3.Connection, record: Record) -> None:
        try:
            ctx.parts.processing.delete(tx, record.arn)
        except Conflict:
            raise IN_USE.error(name=record.name, status=record.status) from None
        super().deleted(ctx, tx, record)

    def shown(self, ctx: Context, record: Record) -> Members:
        return view_processing_job(record)

    def listed(self, ctx: Context, record: Record) -> Members:
        return view_summary(record)
