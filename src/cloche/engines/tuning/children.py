"""Trials as training jobs: what is asked of the API, and what a training job's record tells."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Any, Final

from cloche.engines.tuning.plan import Plan
from cloche.engines.tuning.trials import ENDED, Trial
from cloche.storage.metadata import records

OBJECTIVE: Final = "_tuning_objective_metric"
"""The hyperparameter that SageMaker adds (dg/automatic-model-tuning-define-ranges.html)."""
DELETED: Final = "The training job was deleted."


def request_of(plan: Plan, trial: Trial) -> dict[str, Any]:
    """The CreateTrainingJob of a trial. It has the tuning job's tags (API_CreateHyperParameterTuningJob, Tags)."""
    definition = plan.definitions[trial.definition]
    given = dict(definition.request)
    tuned = {**given.get("HyperParameters", {}), **trial.chosen, OBJECTIVE: definition.objective.metric}
    request = {**given, "TrainingJobName": trial.name, "HyperParameters": tuned}
    if given.get("CheckpointConfig"):  # in a common folder a trial would go on from another's checkpoints
        uri = given["CheckpointConfig"]["S3Uri"].rstrip("/")
        request["CheckpointConfig"] = {**given["CheckpointConfig"], "S3Uri": f"{uri}/{trial.name}"}
    if plan.tags:
        request["Tags"] = [{"Key": key, "Value": value} for key, value in plan.tags]
    return request


def as_it_is(connection: sqlite3.Connection, plan: Plan, trial: Trial) -> Trial:
    """The trial with what its training job's record tells now; without a status while there is none."""
    record = records.find_arn(connection, trial.arn)
    if record is None:
        return replace(trial, status="Failed", reason=DELETED, ended_at=trial.created_at) if trial.status else trial
    state = record.state
    known = replace(trial, status=record.status, started_at=state.get("started_at"), created_at=record.created_at)
    if record.status not in ENDED:
        return known
    metric = plan.definitions[trial.definition].objective.metric
    objective = next((value for name, value, _ in state.get("metrics", ()) if name == metric), None)
    return replace(known, objective=objective, ended_at=state.get("ended_at"), reason=state.get("failure_reason"))
