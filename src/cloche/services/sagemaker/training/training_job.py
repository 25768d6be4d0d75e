"""Training jobs: one run of an algorithm or a script over its input channels."""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import ClassVar, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members
from cloche.aws.resource import Fact, Resource, fact
from cloche.engines.quotas import INSTANCES_OF_JOBS, Asked, training_quota
from cloche.engines.training import from_document
from cloche.foundation.errors import Conflict
from cloche.services.sagemaker.experiments.tracking import check_experiment_config
from cloche.services.sagemaker.training.planning import check_plan, plan_training_job
from cloche.services.sagemaker.training.refusals import refuse_updates_not_done
from cloche.services.sagemaker.training.viewing import view_summary, view_training_job
from cloche.storage.metadata.records import Record

ENDED: Final = fact(
    "ValidationException",
    "The request was rejected because the training job is in status {status}.",
    source="awslabs/benchmark-ai#928",
)
IN_USE: Final = fact(
    "ResourceInUse",
    "The training job {name} is in status {status}: only a job that has ended can be deleted.",
    source="code: the operation's errors in the model; words: Cloche's own",
)
HAS_POOL: Final = fact(
    "ResourceInUse",
    "The training job {name} has an available warm pool: only a job without one can be deleted.",
    source="rule: docs.aws.amazon.com/sagemaker/latest/APIReference/API_DeleteTrainingJob.html; words: Cloche's own",
)
NO_POOL: Final = fact(
    "ValidationException",
    "The training job {name} has no available warm pool: the retention of no other can be changed.",
    source="rule: docs.aws.amazon.com/sagemaker/latest/dg/train-warm-pools-how-to-use.html; words: Cloche's own",
)


class TrainingJob(Resource):
    """One run of an algorithm or a script over its input channels."""

    operations: ClassVar = (
        "CreateTrainingJob",
        "DescribeTrainingJob",
        "ListTrainingJobs",
        "UpdateTrainingJob",
        "DeleteTrainingJob",
        "StopTrainingJob",
    )
    arn: ClassVar = "training-job/{TrainingJobName}"
    status: ClassVar = "TrainingJobStatus"
    listed_by: ClassVar[tuple[str, str]] = ("CreationTime", "Ascending")
    filters: ClassVar = {"WarmPoolStatusEquals": "json_extract(state, '$.warm_pool.status') = ?"}
    missing: ClassVar[Fact] = fact(
        "ValidationException", "Requested resource not found.", source="boto/boto3#2808, aws/aws-sdk#165"
    )
    duplicate: ClassVar[Fact] = fact(
        "ResourceInUse",
        "Training job names must be unique within an AWS account and region, and a training job with this name "
        "already exists ({arn})",
        source="SuperCowPowers/workbench#384, aws/amazon-sagemaker-examples#3108",
    )

    def check(self, ctx: Context, request: Members) -> None:
        plan = plan_training_job(ctx, self.arn_of(ctx, request["TrainingJobName"]), request)
        check_plan(ctx, request, plan)
        check_experiment_config(ctx, request.get("ExperimentConfig"))

    def created(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> None:
        plan = plan_training_job(ctx, record.arn, request)
        of_types = Counter[str]()
        for group in plan.groups:
            of_types[group.instance_type] += group.count
        asked = [Asked(training_quota(instance_type), count) for instance_type, count in of_types.items()]
        ctx.parts.quotas.use(tx, record.arn, [*asked, Asked(INSTANCES_OF_JOBS, of_types.total())])
        ctx.parts.training.submit(tx, plan)

    def updated(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> Members:
        refuse_updates_not_done(request)
        changed = dict(record.request)
        if profiler := request.get("ProfilerConfig"):
            changed["ProfilerConfig"] = {**(changed.get("ProfilerConfig") or {}), **profiler}
        keep = (request.get("ResourceConfig") or {}).get("KeepAlivePeriodInSeconds")
        if keep is None:
            return changed
        try:
            ctx.parts.training.keep_pool_for(tx, record.arn, keep)
        except Conflict:
            raise NO_POOL.error(name=record.name) from None
        return {**changed, "ResourceConfig": {**changed["ResourceConfig"], "KeepAlivePeriodInSeconds": keep}}

    def stopping(self, ctx: Context, tx: sqlite3.Connection, record: Record) -> None:
        try:
            ctx.parts.training.stop(tx, record.arn)
        except Conflict:
            raise self._in_status(ENDED, record) from None

    def deleted(self, ctx: Context, tx: sqlite3.Connection, record: Record) -> None:
        try:
            ctx.parts.training.delete(tx, record.arn)
        except Conflict:
            ended = from_document(record.status, record.state).ended_at is not None
            raise self._in_status(HAS_POOL if ended else IN_USE, record) from None
        super().deleted(ctx, tx, record)

    def shown(self, ctx: Context, record: Record) -> Members:
        return view_training_job(record)

    def listed(self, ctx: Context, record: Record) -> Members:
        return view_summary(from_document(record.status, record.state), record.state.get("warm_pool"))

    @staticmethod
    def _in_status(fact: Fact, record: Record) -> AwsError:
        return fact.error(name=record.name, status=record.status)
