"""What search shows of a thing beyond its own record: a component's trials and job, a trial's components."""

from __future__ import annotations

import sqlite3
from typing import Final

from cloche.aws.operation import Context, Members
from cloche.aws.resource import Resource
from cloche.engines.experiments import memberships
from cloche.services.sagemaker.experiments.trial_component import TRIAL_COMPONENT
from cloche.services.sagemaker.processing.processing_job import ProcessingJob
from cloche.services.sagemaker.training.training_job import TrainingJob
from cloche.services.sagemaker.training.transform_job import TransformJob
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

COMPONENTS_SHOWN: Final = 100
JOBS: Final[dict[str, Resource]] = {
    "TrainingJob": TrainingJob(),
    "ProcessingJob": ProcessingJob(),
    "TransformJob": TransformJob(),
}
"""Members of a TrialComponentSourceDetail."""


def components_of_trial(ctx: Context, reader: sqlite3.Connection, record: Record) -> Members:
    found = (records.find_arn(reader, arn) for arn in memberships.components_of(reader, record.arn, COMPONENTS_SHOWN))
    return {"TrialComponentSummaries": [TRIAL_COMPONENT.members_of(ctx, each) for each in found if each is not None]}


def parents_and_source(ctx: Context, reader: sqlite3.Connection, record: Record) -> Members:
    trials = (records.find_arn(reader, arn) for arn in memberships.trials_of(reader, record.arn))
    parents = [
        {"TrialName": trial.name, "ExperimentName": trial.request["ExperimentName"]}
        for trial in trials
        if trial is not None
    ]
    return {"Parents": parents, "SourceDetail": _source(ctx, reader, record)}


def _source(ctx: Context, reader: sqlite3.Connection, record: Record) -> Members | None:
    source = record.state.get("source")
    if source is None:
        return None
    member = str(source.get("SourceType", "")).removeprefix("SageMaker")
    job = records.find_arn(reader, source["SourceArn"]) if member in JOBS else None
    detail: Members = {"SourceArn": source["SourceArn"]}
    if job is not None:
        detail[member] = JOBS[member].members_of(ctx, job)
    return detail
