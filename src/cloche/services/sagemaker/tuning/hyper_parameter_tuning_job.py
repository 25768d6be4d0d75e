"""Tuning jobs: many training jobs that search for the best hyperparameters."""

from __future__ import annotations

import sqlite3
from typing import ClassVar

from cloche.aws.operation import Context, Members
from cloche.aws.resource import Fact, Resource
from cloche.foundation.errors import Conflict
from cloche.services.sagemaker.tuning import facts
from cloche.services.sagemaker.tuning.autotune import resolved
from cloche.services.sagemaker.tuning.planning import check_training_jobs, plan_tuning_job
from cloche.services.sagemaker.tuning.viewing import view_summary, view_tuning_job
from cloche.storage.metadata.records import Record


class HyperParameterTuningJob(Resource):
    """A search for the best hyperparameters by training jobs of its own."""

    operations: ClassVar = (
        "CreateHyperParameterTuningJob",
        "DescribeHyperParameterTuningJob",
        "ListHyperParameterTuningJobs",
        "StopHyperParameterTuningJob",
        "DeleteHyperParameterTuningJob",
    )
    arn: ClassVar = "hyper-parameter-tuning-job/{HyperParameterTuningJobName}"
    status: ClassVar = "HyperParameterTuningJobStatus"
    # docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListHyperParameterTuningJobs.html
    listed_by: ClassVar[tuple[str, str]] = ("Name", "Ascending")
    missing: ClassVar[Fact] = facts.MISSING
    duplicate: ClassVar[Fact] = facts.DUPLICATE

    def check(self, ctx: Context, request: Members) -> None:
        arn = self.arn_of(ctx, request["HyperParameterTuningJobName"])
        check_training_jobs(ctx, plan_tuning_job(ctx, arn, resolved(request)))

    def created(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> None:
        ctx.parts.tuning.submit(tx, plan_tuning_job(ctx, record.arn, resolved(request)))

    def stopping(self, ctx: Context, tx: sqlite3.Connection, record: Record) -> None:
        try:
            ctx.parts.tuning.stop(tx, record.arn)
        except Conflict:
            raise facts.ENDED.error(status=record.status) from None

    def deleted(self, ctx: Context, tx: sqlite3.Connection, record: Record) -> None:
        try:
            ctx.parts.tuning.delete(tx, record.arn)
        except Conflict:
            raise facts.NOT_ENDED.error(name=record.name, status=record.status) from None
        super().deleted(ctx, tx, record)

    def shown(self, ctx: Context, record: Record) -> Members:
        return view_tuning_job(record)

    def listed(self, ctx: Context, record: Record) -> Members:
        return view_summary(record)
