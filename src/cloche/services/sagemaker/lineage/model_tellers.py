"""What models, packages and endpoints mean for the graph.

Which entities and associations there are: docs.aws.amazon.com/sagemaker/latest/dg/lineage-tracking-auto-creation.html;
how they hang together: sagemaker.lineage of SDK v2 (``EndpointContext``, ``ModelArtifact.endpoints``,
``ModelPackageApprovalAction``) and its integration tests' fixtures. A context's ``SourceId`` is the time its endpoint
was made, as there. Names of actions and contexts are not documented; these are Cloche's own, after those of jobs.

    Model, Image ──► Approval ──► ModelPackage ──► ModelGroup
          └───────────────────────────┴──────► ModelDeployment ──► Endpoint
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from cloche.aws.operation import Members
from cloche.engines.lineage.entities import Action, Artifact, Context, Entity, Link
from cloche.foundation.clock import from_epoch
from cloche.services.sagemaker.lineage.containers import PACKAGE, of_containers, of_model
from cloche.services.sagemaker.lineage.job_tellers import execution_context
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

_DEPLOYMENT_STATUS: Final = {
    "InService": "Completed",
    "Failed": "Failed",
    "UpdateRollbackFailed": "Failed",
    "OutOfService": "Stopped",
    "Deleting": "Stopped",
}
NAME_MAX: Final = 120


def model(tx: sqlite3.Connection, record: Record) -> Iterator[Entity | Link]:
    yield from of_model(record)


def inference_component(tx: sqlite3.Connection, record: Record) -> Iterator[Entity | Link]:
    """A deployment of its own, on the endpoint that it stands on."""
    deployment = Action(
        _name(record, "", "model-deployment"),
        "ModelDeployment",
        record.arn,
        _DEPLOYMENT_STATUS.get(record.status, "InProgress"),
        {"InferenceComponentName": record.name},
    )
    on = records.find(tx, record.account, record.region, "sagemaker/Endpoint", record.request["EndpointName"])
    if on is not None:
        yield Link(deployment, _endpoint_context(on), "AssociatedWith")
    specification = record.request["Specification"]
    container = specification.get("Container")
    if container is not None:
        used = list(of_containers([{**container, "ModelDataUrl": container.get("ArtifactUrl")}]))
    else:
        deployed = records.find(tx, record.account, record.region, "sagemaker/Model", specification["ModelName"])
        used = list(of_model(deployed)) if deployed is not None else []
    for artifact in used:
        yield Link(artifact, deployment, "ContributedTo")


def endpoint(tx: sqlite3.Connection, record: Record) -> Iterator[Entity | Link]:
    config_name = record.request["EndpointConfigName"]
    config = records.find(tx, record.account, record.region, "sagemaker/EndpointConfig", config_name)
    deployment = Action(
        _name(record, config_name, "model-deployment"),
        "ModelDeployment",
        record.arn,
        _DEPLOYMENT_STATUS.get(record.status, "InProgress"),
        {"EndpointConfigName": config_name},
    )
    yield Link(deployment, _endpoint_context(record), "AssociatedWith")
    variants = (config.request.get("ProductionVariants") or ()) if config is not None else ()
    for name in dict.fromkeys(variant["ModelName"] for variant in variants if variant.get("ModelName")):
        deployed = records.find(tx, record.account, record.region, "sagemaker/Model", name)
        for artifact in of_model(deployed) if deployed is not None else ():
            yield Link(artifact, deployment, "ContributedTo")


def model_package_group(tx: sqlite3.Connection, record: Record) -> Iterator[Entity | Link]:
    yield _group(record)


def model_package(tx: sqlite3.Connection, record: Record) -> Iterator[Entity | Link]:
    package = Artifact(record.arn, PACKAGE)
    yield package
    if execution := record.request.get("PipelineExecutionArn"):
        yield Link(package, execution_context(execution), "AssociatedWith")
    contents = list(of_containers(_containers(record.request)))
    for artifact in contents:
        yield Link(artifact, package, "ContributedTo")
    if approval := record.request.get("ModelApprovalStatus"):
        action = Action(
            _name(record, approval, "model-package"),
            "Approval",
            record.arn,
            "Completed",
            {"ModelApprovalStatus": approval},
        )
        yield Link(action, package, "ContributedTo")
        for artifact in contents:
            if artifact.type == "Model":
                yield Link(artifact, action, "ContributedTo")
    group_name = record.request.get("ModelPackageGroupName")
    if group_name:
        found = records.find(tx, record.account, record.region, "sagemaker/ModelPackageGroup", group_name)
        if found is not None:
            yield Link(package, _group(found), "AssociatedWith")


def _endpoint_context(record: Record) -> Context:
    made = from_epoch(record.created_at).isoformat()
    return Context(_name(record, "", "endpoint"), "Endpoint", record.arn, made)


def _group(record: Record) -> Context:
    made = from_epoch(record.created_at).isoformat()
    execution = record.request.get("PipelineExecutionArn")
    # ModelPackageGroup.pipeline_execution_arn of sagemaker.lineage.context
    properties = {"PipelineExecutionArn": execution} if execution else {}
    return Context(_name(record, "", "model-package-group"), "ModelGroup", record.arn, made, properties)


def _containers(request: Members) -> list[Members]:
    described = list((request.get("InferenceSpecification") or {}).get("Containers") or ())
    algorithms = (request.get("SourceAlgorithmSpecification") or {}).get("SourceAlgorithms") or ()
    return [*described, *algorithms]


def _name(record: Record, part: str, word: str) -> str:
    """``<name>-<part>-<seconds of its making>-aws-<word>``: one made anew under a name of before is another."""
    end = f"-{int(record.created_at)}-aws-{word}"
    begin = "-".join(each for each in (record.name.replace("/", "-"), part) if each)
    return begin[: NAME_MAX - len(end)].rstrip("-") + end
