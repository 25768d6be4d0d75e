"""Which data trained the model behind this endpoint, and what came of that data? With SageMaker's Python SDK 3 or 2.

main.py ENDPOINT_ARN
"""

import json
import sys

import boto3

try:
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.core.lineage.artifact import Artifact, DatasetArtifact
    from sagemaker.core.lineage.association import Association
    from sagemaker.core.lineage.context import Context, EndpointContext
    from sagemaker.core.lineage.lineage_trial_component import LineageTrialComponent
    from sagemaker.core.lineage.query import LineageFilter, LineageQuery, LineageQueryDirectionEnum
    from sagemaker.core.lineage.visualizer import LineageTableVisualizer
except ImportError:
    from sagemaker import Session
    from sagemaker.lineage.artifact import Artifact, DatasetArtifact
    from sagemaker.lineage.association import Association
    from sagemaker.lineage.context import Context, EndpointContext
    from sagemaker.lineage.lineage_trial_component import LineageTrialComponent
    from sagemaker.lineage.query import LineageFilter, LineageQuery, LineageQueryDirectionEnum
    from sagemaker.lineage.visualizer import LineageTableVisualizer

endpoint = sys.argv[1]
session = Session(boto3.Session())
(found,) = Context.list(source_uri=endpoint, sagemaker_session=session)
context = EndpointContext.load(context_name=found.context_name, sagemaker_session=session)
assert context.context_type == "Endpoint", context

# Up: jobs and data.
jobs = context.training_job_arns()
data = context.dataset_artifacts()
components = context.trial_components()
assert {each.trial_component_name for each in components} >= {f"{jobs[0].rpartition('/')[2]}-aws-training-job"}
print("trained by", jobs, "from", [each.source.source_uri for each in data])

# The very bytes: what the job read, as it was then.
versions = LineageQuery(session).query(
    [context.context_arn],
    LineageQueryDirectionEnum.ASCENDANTS,
    include_edges=False,
    query_filter=LineageFilter(sources=["DataSetVersion"]),
)
version = versions.vertices[0].to_lineage_object()
print("which was", version.properties, version.source.source_types)

# Down again: every endpoint that this data is behind.
dataset = DatasetArtifact.load(artifact_arn=data[0].artifact_arn, sagemaker_session=session)
behind = [each.context_arn for each in dataset.endpoint_contexts()]
assert context.context_arn in behind, behind
trained = LineageTrialComponent.load(components[0].trial_component_name, sagemaker_session=session)
models = trained.models()
assert [each.artifact_type for each in models] == ["Model"], models
assert dataset.s3_uri_artifacts(data[0].source.source_uri)["ArtifactSummaries"]

table = LineageTableVisualizer(session).show(training_job_name=jobs[0].rpartition("/")[2])
print(table.to_string(index=False))
types = sorted(table["Type"])

# And what no job could know: a note of one's own, taken back afterwards.
report = Artifact.create(
    artifact_name="report",
    source_uri=f"s3://reports/{found.context_name}",
    artifact_type="Report",
    sagemaker_session=session,
)
Association.create(report.artifact_arn, context.context_arn, "AssociatedWith", sagemaker_session=session)
assert [each.source_arn for each in Association.list(source_type="Report", sagemaker_session=session)]
report.delete(disassociate=True)

print("RESULT " + json.dumps({"jobs": jobs, "data": [each.source.source_uri for each in data], "table": types}))
