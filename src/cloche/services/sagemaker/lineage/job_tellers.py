"""What jobs mean for the graph: a trial component each, the data and images that went in, and what came out.

Names of components, of their parameters and artifacts, types and messages are AWS's, as seen in
opendatadiscovery/odd-collector-aws (tests of its SageMaker adapter) and aws/sagemaker-python-sdk (tests of its core
resources); which entities there are: docs.aws.amazon.com/sagemaker/latest/dg/lineage-tracking-auto-creation.html.
What AWS does not have are the versions of data: a ``DataSetVersion`` for each input of a job, which is the set of
object versions that the job read (``jobs/reading``); its data set stands above it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

from cloche.aws.operation import Members
from cloche.engines.lineage.entities import Artifact, Component, Context, Entity, Link, Versions
from cloche.foundation.clock import from_epoch
from cloche.jobs.reading import InputRead, inputs_read
from cloche.services.sagemaker.lineage.containers import of_model
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record
from cloche.storage.objects.records import NULL_VERSION

TEXT_MAX: Final = 2_500
"""Characters of a parameter's text (TrialComponentParameterValue in the model)."""
PARAMETERS_MAX: Final = 300
ARTIFACTS_MAX: Final = 60


def training_job(tx: sqlite3.Connection, job: Record) -> Iterator[Entity | Link]:
    request, resources = job.request, job.request.get("ResourceConfig") or {}
    channels = [each for each in request.get("InputDataConfig") or () if each["DataSource"].get("S3DataSource")]
    image = request["AlgorithmSpecification"].get("TrainingImage", "")
    parameters = {name: _parameter(value) for name, value in (request.get("HyperParameters") or {}).items()}
    model = job.state.get("model_artifacts")
    outputs = {"SageMaker.ModelArtifact": model} if model else {}
    if hook := (request.get("DebugHookConfig") or {}).get("S3OutputPath"):
        outputs["SageMaker.DebugHookOutput"] = hook
    secondary = f"secondary status: {job.state.get('secondary_status')}"
    component = _component(
        job,
        "training",
        {**parameters, **_cluster(resources), "SageMaker.ImageUri": {"StringValue": image}},
        {channel["ChannelName"]: _artifact(_uri(channel), channel) for channel in channels},
        {name: {"Value": value} for name, value in outputs.items()},
        secondary,
    )
    yield component
    yield from _read(tx, job, component, [_uri(channel) for channel in channels])
    if image:
        yield Link(Artifact(image, "Image"), component, "ContributedTo")
    if model:
        yield Link(component, Artifact(model, "Model"), "Produced")
    if checkpoints := (request.get("CheckpointConfig") or {}).get("S3Uri"):
        yield Link(component, Artifact(checkpoints, "Checkpoint"), "Produced")


def processing_job(tx: sqlite3.Connection, job: Record) -> Iterator[Entity | Link]:
    request = job.request
    given = request.get("ProcessingInputs") or ()
    inputs = {each["InputName"]: each["S3Input"]["S3Uri"] for each in given if "S3Input" in each}
    outputs = {
        each["OutputName"]: each["S3Output"]["S3Uri"]
        for each in (request.get("ProcessingOutputConfig") or {}).get("Outputs") or ()
        if "S3Output" in each
    }
    image = request["AppSpecification"]["ImageUri"]
    component = _component(
        job,
        "processing",
        _cluster((request.get("ProcessingResources") or {}).get("ClusterConfig") or {}),
        {"SageMaker.ImageUri": {"Value": image}, **{name: {"Value": uri} for name, uri in inputs.items()}},
        {name: {"Value": uri} for name, uri in outputs.items()},
        f"exit message: {job.state.get('exit_message') or 'null'}",
    )
    yield component
    yield Link(Artifact(image, "Image"), component, "ContributedTo")
    yield from _read(tx, job, component, list(inputs.values()))
    if job.status == "Completed":
        for uri in outputs.values():
            yield Link(component, Artifact(uri, "DataSet"), "Produced")


def transform_job(tx: sqlite3.Connection, job: Record) -> Iterator[Entity | Link]:
    request, name = job.request, job.request["ModelName"]
    model = records.find(tx, job.account, job.region, "sagemaker/Model", name)
    used = list(of_model(model)) if model is not None else []
    parameters = {**_cluster(request["TransformResources"]), "SageMaker.ModelName": {"StringValue": name}}
    for artifact in used:
        member = {"Image": "SageMaker.ModelPrimary.Image", "Model": "SageMaker.ModelPrimary.DataUrl"}.get(artifact.type)
        if member is not None:
            parameters[member] = {"StringValue": artifact.uri}
    source = request["TransformInput"]
    uri, output = source["DataSource"]["S3DataSource"]["S3Uri"], request["TransformOutput"]["S3OutputPath"]
    component = _component(
        job,
        "transform",
        parameters,
        {"SageMaker.TransformInput": _artifact(uri, source)},
        {"SageMaker.TransformOutput": {"Value": output}},
        "",
    )
    yield component
    yield from _read(tx, job, component, [uri])
    for artifact in used:
        yield Link(artifact, component, "ContributedTo")
    if job.status == "Completed":
        yield Link(component, Artifact(output, "DataSet"), "Produced")


# -- parts of the above ----------------------------------------------------------------------------------------------


def _component(job: Record, word: str, parameters: Members, inputs: Members, outputs: Members, said: str) -> Component:
    config = job.request.get("ExperimentConfig") or {}
    reason = job.state.get("failure_reason") or "null"
    told = ", ".join(each for each in (f"Status: {job.status}", said, f"failure reason: {reason}") if each)
    name = f"{job.name}-aws-{word}-job"
    members: dict[str, Any] = {
        "DisplayName": config.get("TrialComponentDisplayName") or name,
        "Status": {"PrimaryStatus": job.status or "InProgress", "Message": told[:1024]},
        "Parameters": dict(list(parameters.items())[:PARAMETERS_MAX]),
        "InputArtifacts": dict(list(inputs.items())[:ARTIFACTS_MAX]),
        "OutputArtifacts": dict(list(outputs.items())[:ARTIFACTS_MAX]),
    }
    for member, published in (("StartTime", "started_at"), ("EndTime", "ended_at")):
        if job.state.get(published) is not None:
            members[member] = from_epoch(job.state[published])
    kind = f"SageMaker{word.capitalize()}Job"
    return Component(name, job.arn, kind, members, config.get("RunName", ""))


def _read(tx: sqlite3.Connection, job: Record, component: Component, uris: list[str]) -> Iterator[Link]:
    """The data sets, the versions of them that were read, and the pipeline's execution that the job is a step of."""
    if execution := job.request.get("PipelineExecutionArn"):
        yield Link(component, execution_context(execution), "AssociatedWith")
    for uri in dict.fromkeys(uris):
        yield Link(Artifact(uri, "DataSet"), component, "ContributedTo")
    for found in inputs_read(tx, job.arn):
        version = _version(found)
        yield Link(version, component, "ContributedTo")
        above = next((uri for uri in uris if uri.rstrip("/") == found.uri.rstrip("/")), None)
        if above is not None:
            yield Link(Artifact(above, "DataSet"), version, "AssociatedWith")


def execution_context(arn: str) -> Context:
    name = f"pipelines-{arn.rpartition('/')[2]}-aws-pipeline-execution"
    return Context(name, "PipelineExecution", arn)


def _version(found: InputRead) -> Artifact:
    versions: Versions = (("Custom", f"sha256:{found.digest}"),)
    if found.count == 1 and found.objects:
        _, version, etag, _ = found.objects[0]
        versions = (*versions, ("S3ETag", etag))
        if version != NULL_VERSION:
            versions = (*versions, ("S3Version", version))
    properties = {"Objects": str(found.count), "Bytes": str(found.bytes), "Sha256": found.digest}
    return Artifact(found.uri, "DataSetVersion", versions=versions, properties=properties)


def _uri(channel: Members) -> str:
    uri: str = channel["DataSource"]["S3DataSource"]["S3Uri"]
    return uri


def _artifact(uri: str, declared: Members) -> Members:
    media = str(declared.get("ContentType") or "").partition(";")[0]
    return {"Value": uri, "MediaType": media} if media else {"Value": uri}


def _cluster(resources: Members) -> Members:
    found: Members = {}
    if "InstanceCount" in resources:
        found["SageMaker.InstanceCount"] = {"NumberValue": float(resources["InstanceCount"])}
    if "InstanceType" in resources:
        found["SageMaker.InstanceType"] = {"StringValue": resources["InstanceType"]}
    if "VolumeSizeInGB" in resources:
        found["SageMaker.VolumeSizeInGB"] = {"NumberValue": float(resources["VolumeSizeInGB"])}
    return found


def _parameter(value: str) -> Members:
    try:
        number = float(value)
    except ValueError:
        return {"StringValue": value[:TEXT_MAX]}
    return {"NumberValue": number} if number - number == 0 else {"StringValue": value}
