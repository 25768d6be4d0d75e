"""What is looked at when a monitoring job is defined, for definitions of every form.

Sources: docs.aws.amazon.com/sagemaker/latest/APIReference, pages API_EndpointInput, API_BatchTransformInput,
API_MonitoringStoppingCondition; dg/model-monitor-model-quality-schedule.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cloche.aws.errors import fact
from cloche.aws.operation import Context
from cloche.engines.monitoring.captured import Folder
from cloche.engines.monitoring.definition import MAX_RUNTIME_SECONDS, MODEL_QUALITY, Definition
from cloche.engines.monitoring.executing import capture_of
from cloche.engines.monitoring.requests import ATTRIBUTES, VARIABLE_MAX, Execution, analysis_request
from cloche.engines.monitoring.times import DAY, HOUR, Window, parse_offset
from cloche.foundation.errors import Invalid
from cloche.services.sagemaker.checks import check_role
from cloche.services.sagemaker.processing.planning import plan_processing_job
from cloche.services.sagemaker.training.channels import address

NO_ENDPOINT: Final = fact(
    "ValidationException",
    "Endpoint '{name}' does not exist or is not valid",
    source="notes of a user of CreateDataQualityJobDefinition: also for an endpoint that does not capture data",
)
IN_USE: Final = fact(
    "ResourceInUse",
    "A job definition with the name {name} already exists ({arn}).",
    source="code: the operation's errors in the model; words: Cloche's own",
)
MISSING: Final = fact(
    "ResourceNotFound",
    "Could not find job definition with name: {name}",
    source="code: the operation's errors in the model; words: Cloche's own",
)
LOCAL_PATH_MAX: Final = 110
"""A processing job's LocalPath has 256: room for the names of endpoint and variant (63 each), and an hour's folder."""


def check_definition(ctx: Context, definition: Definition) -> None:
    """Raises what would make every execution fail: a job that Cloche does not run, a role or endpoint that is not
    there, offsets that mean nothing."""
    if (definition.endpoint is None) == (definition.batch is None):
        raise Invalid(
            "Exactly one of EndpointInput and BatchTransformInput must be specified.",
            field=f"{definition.type}JobInput",
        )
    _check_source(definition.source)
    if definition.type == MODEL_QUALITY:
        if not definition.problem_type:
            raise Invalid("ProblemType must be specified.", field="ProblemType")
        if not definition.ground_truth:
            raise Invalid("GroundTruthS3Input.S3Uri must be specified.", field="GroundTruthS3Input")
        address(definition.ground_truth, "GroundTruthS3Input.S3Uri")
    _check_lengths(definition)
    folder = Folder("s3://bucket/captured", f"{definition.endpoint_name or 'schedule'}/variant/2000/01/01/00")
    plan_processing_job(ctx, "", analysis_request(_trial(ctx, definition), [folder]))
    check_role(ctx, definition.role)
    endpoint = definition.endpoint_name
    if endpoint is not None and capture_of(ctx.parts.database.reader, ctx.account, ctx.region, endpoint) is None:
        raise NO_ENDPOINT.error(name=endpoint)


def check_runtime(definition: Definition, shortest: int) -> None:
    """``shortest`` is the least number of seconds between two executions."""
    most = MAX_RUNTIME_SECONDS[definition.type] if shortest == HOUR else min(shortest, DAY)
    if definition.max_runtime_seconds > most:
        raise Invalid(
            f"MaxRuntimeInSeconds {definition.max_runtime_seconds} exceeds {most}, the most for a {definition.type} "
            "job of this schedule: an execution must end before the next one begins.",
            field="MaxRuntimeInSeconds",
        )


def _check_source(source: Mapping[str, object]) -> None:
    start, end = (str(source.get(name) or "") for name in ("StartTimeOffset", "EndTimeOffset"))
    begins = parse_offset(start, "StartTimeOffset") if start else None
    ends = parse_offset(end, "EndTimeOffset") if end else 0.0
    if begins is not None and begins >= ends:
        raise Invalid(f"StartTimeOffset {start} must lie before EndTimeOffset {end}.", field="StartTimeOffset")


def _check_lengths(definition: Definition) -> None:
    """What its processing jobs could not be given: their variables and paths are shorter than its own may be."""
    for member in ATTRIBUTES:
        if len(str(definition.source.get(member) or "")) > VARIABLE_MAX:
            raise Invalid(f"{member} has more than {VARIABLE_MAX} characters.", field=member)
    if len(definition.source["LocalPath"]) > LOCAL_PATH_MAX:
        raise Invalid(
            f"LocalPath has more than {LOCAL_PATH_MAX} characters: the folders of hours lie below it.",
            field="LocalPath",
        )


def _trial(ctx: Context, definition: Definition) -> Execution:
    """An execution that never is: what it would ask for can be looked at before."""
    return Execution(ctx.account, ctx.region, "", "trial", "", Window(0.0, 0.0, HOUR), definition)
