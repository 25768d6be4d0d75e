"""Job definitions of model quality: what a schedule's executions measure a model by, once the truth is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from cloche.aws.operation import Context, Members
from cloche.aws.resource import Fact, Resource
from cloche.engines.monitoring.definition import MODEL_QUALITY, named_definition
from cloche.services.sagemaker.monitoring.definitions import IN_USE, MISSING, check_definition
from cloche.services.sagemaker.monitoring.viewing import view_definition_summary
from cloche.storage.metadata.records import Record


class ModelQualityJobDefinition(Resource):
    """Constraints that a model's metrics over captured predictions and ground truth are held against."""

    operations: ClassVar = (
        "CreateModelQualityJobDefinition",
        "DescribeModelQualityJobDefinition",
        "ListModelQualityJobDefinitions",
        "DeleteModelQualityJobDefinition",
    )
    arn: ClassVar = "model-quality-job-definition/{JobDefinitionName}"
    missing: ClassVar[Fact] = MISSING
    duplicate: ClassVar[Fact] = IN_USE
    filters: ClassVar[Mapping[str, str]] = {
        "EndpointName": "json_extract(request, '$.ModelQualityJobInput.EndpointInput.EndpointName') = ?"
    }

    def check(self, ctx: Context, request: Members) -> None:
        check_definition(ctx, named_definition(MODEL_QUALITY, request["JobDefinitionName"], request))

    def listed(self, ctx: Context, record: Record) -> Members:
        return view_definition_summary(record, MODEL_QUALITY)
