"""Jobs as parts of experiments: what an ``ExperimentConfig`` may say, and what follows from it.

docs.aws.amazon.com/sagemaker/latest/APIReference/API_ExperimentConfig.html: experiment and trial must be there; without
a trial a new one is made. Once the job has ended, the numbers it printed become its component's series, so that they
can be asked for and searched like those of runs: the n-th value of a metric is step n.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Final

from cloche.aws.operation import Context, Members
from cloche.aws.resource import Resource
from cloche.engines.experiments import Point, memberships, series
from cloche.foundation.errors import AlreadyExists, Invalid
from cloche.services.sagemaker.experiments.experiment import EXPERIMENT
from cloche.services.sagemaker.experiments.trial import TRIAL
from cloche.storage.metadata import records, tags
from cloche.storage.metadata.records import Record
from cloche.storage.metrics import points

METRICS_OF: Final = {"sagemaker/TrainingJob": ("/aws/sagemaker/TrainingJobs", "TrainingJobName")}
"""Where jobs' numbers are: namespace and dimension."""
ENDED: Final = ("Completed", "Failed", "Stopped")
POINTS_MAX: Final = 5_000
"""Of one metric of a job: beyond it every second, third … is kept."""


def check_experiment_config(ctx: Context, config: Members | None) -> None:
    """Raises AWS's words where the experiment or the trial is not there."""
    if not config:
        return
    reader = ctx.parts.database.reader
    if "ExperimentName" in config:
        EXPERIMENT.find(ctx, reader, config["ExperimentName"])
    if "TrialName" in config:
        trial = TRIAL.find(ctx, reader, config["TrialName"])
        held = trial.request["ExperimentName"]
        if config.get("ExperimentName", held) != held:
            raise Invalid(
                f"Trial {trial.name} is part of experiment {held}, not of {config['ExperimentName']}",
                field="ExperimentConfig",
            )


def follow_job(tx: sqlite3.Connection, job: Record, component: Record) -> None:
    """A job's component joins its trial when it is made, and takes its numbers when the job has ended. A job made anew
    under a name of before (told by when it was made) begins with none."""
    followed = component.state.get("job_made_at")
    if followed is None or (followed != job.created_at and job.id):
        if followed is not None:
            series.remove_all(tx, component.arn)
        kept = {name: value for name, value in component.state.items() if name in ("source", "run_name")}
        component = replace(component, state={**kept, "job_made_at": job.created_at})
        records.set_status(tx, component.arn, state=component.state)
        _join(tx, job, component)
    if job.status in ENDED and job.kind in METRICS_OF and not component.state.get("counted"):
        found = [point for name in _names(job) for point in _points(tx, job, name)]
        series.append(tx, replace(component, state={**component.state, "counted": True}), found)


def _join(tx: sqlite3.Connection, job: Record, component: Record) -> None:
    config = job.request.get("ExperimentConfig") or {}
    name, experiment, source = config.get("TrialName"), config.get("ExperimentName"), None
    if execution := job.request.get("PipelineExecutionArn"):
        # EndpointContext.pipeline_execution_arn of sagemaker.lineage.context looks for it.
        tags.put(tx, job.arn, [("sagemaker:pipeline-execution-arn", execution)])
    if name is None and experiment is None and (tuning := job.request.get("TuningJobArn")):
        # An experiment of the tuning job's name and source: opendatadiscovery/odd-collector-aws (its tests).
        experiment, source = tuning.rpartition("/")[2], tuning
        state = {"source": {"SourceArn": source, "SourceType": "SageMakerHyperParameterTuningJob"}}
        _make(tx, job, EXPERIMENT, experiment, {"ExperimentName": experiment}, state)
    if experiment is not None and name is None:
        name = f"{experiment if source else job.name}-aws-trial"
        _make(tx, job, TRIAL, name, {"TrialName": name, "ExperimentName": experiment})
    trial = records.find(tx, job.account, job.region, TRIAL.kind, name) if name is not None else None
    if trial is not None:
        memberships.put(tx, component.arn, trial.arn, job.created_at)


def _make(
    tx: sqlite3.Connection,
    job: Record,
    noun: Resource,
    name: str,
    request: Members,
    state: Members | None = None,
) -> None:
    """Unless one of that name is there."""
    segment = noun.arn.partition("/")[0]
    try:
        made = records.insert(
            tx,
            account=job.account,
            region=job.region,
            kind=noun.kind,
            name=name,
            arn=f"arn:aws:sagemaker:{job.region}:{job.account}:{segment}/{name}",
            at=job.created_at,
            request=request,
        )
    except AlreadyExists:
        return
    if state is not None:
        records.set_status(tx, made.arn, state=state)


def _names(job: Record) -> list[str]:
    return list(dict.fromkeys(metric[0] for metric in job.state.get("metrics") or ()))


def _points(tx: sqlite3.Connection, job: Record, name: str) -> list[Point]:
    namespace, dimension = METRICS_OF[job.kind]
    found = points.find_series(tx, job.account, job.region, namespace, name, ((dimension, job.name),))
    if found is None:
        return []
    rows = points.read_points(tx, found, int(job.created_at), float("inf"), None)  # points have whole seconds
    every = [Point(name, float(at), held.total / held.count, step) for step, (at, _, held) in enumerate(rows)]
    return every[:: len(every) // POINTS_MAX + 1]
