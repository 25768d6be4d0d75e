"""Runs with SageMaker's Python SDK 3: the same words as in SDK 2, and its core resources beside them."""

import json
import random
import tempfile
from pathlib import Path

import boto3
from sagemaker.core.experiments.run import Run, list_runs, load_run
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.resources import Experiment, TrialComponent

session = Session(boto3.Session())
experiment = f"halving-{random.SystemRandom().randrange(10**9)}"
for start in (1.0, 8.0):
    with Run(experiment, f"from-{int(start)}", sagemaker_session=session) as run:
        run.log_parameters({"start": start, "rule": "half of it"})
        for step in range(12):
            run.log_metric("rest", start / 2**step, step=step)
        with load_run(sagemaker_session=session) as same:
            same.log_parameter("steps", 12)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "rule.txt"
            file.write_text("half of it")
            run.log_file(str(file), name="rule")

assert len(list_runs(experiment, sagemaker_session=session)) == 2
assert Experiment.get(experiment_name=experiment).display_name == experiment
components = list(TrialComponent.get_all(experiment_name=experiment))
rest = {}
for each in components:
    component = TrialComponent.get(trial_component_name=each.trial_component_name)
    (metric,) = component.metrics
    assert metric.count == 12 and component.parameters["steps"].number_value == 12, component
    assert component.output_artifacts["rule"].value.startswith("s3://"), component
    rest[component.parameters["start"].number_value] = metric.last

print("RESULT " + json.dumps({"runs": len(components), "rest": [rest[1.0] * 2**11, rest[8.0] * 2**11]}))
