"""Job definitions of data quality: what the executions of a schedule compare captured data by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from cloche.aws.operation import Context, Members
from cloche.aws.resource import Fact, Resource
from cloche.engines.monitoring.definition import DATA_QUALITY, named_definition
from cloche.services.sagemaker.monitoring.definitions import IN_USE, MISSING, check_definition
from cloche.services.sagemaker.monitoring.viewing import view_definition_summary
from cloche.storage.metadata.records import Record


class DataQualityJobDefinition(Resource):
    """Statistics and constraints that captured data is held against."""

    operations: ClassVar = (
        "CreateDataQualityJobDefinition",
        "DescribeDataQualityJobDefinition",
        "ListDataQualityJobDefinitions",
        "DeleteDataQualityJobDefinition",
    )
    arn: ClassVar = "data-quality-job-definition/{JobDefinitionName}"
    missing: ClassVar[Fact] = MISSING
    duplicate: ClassVar[Fact] = IN_USE
    filters: ClassVar[Mapping[str, str]] = {
        "EndpointName": "json_extract(request, '$.DataQualityJobInput.EndpointInput.EndpointName') = ?"
    }

    def check(self, ctx: Context, request: Members) -> None:
        check_definition(ctx, named_definition(DATA_QUALITY, request["JobDefinitionName"], request))

    def listed(self, ctx: Context, record: Record) -> Members:
        return view_definition_summary(record, DATA_QUALITY)
