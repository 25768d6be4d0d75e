"""Functions that run as training jobs: ``@remote``, and a pipeline of ``@step`` functions, by SDK 2."""

from __future__ import annotations

import json
import sys

import sagemaker
from sagemaker.remote_function import remote
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionGreaterThanOrEqualTo
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.function_step import step
from sagemaker.workflow.parameters import ParameterFloat
from sagemaker.workflow.pipeline import Pipeline

session = sagemaker.Session()
LINES = {(3, 10): 1, (3, 11): 2, (3, 12): 3}
"""Which line of the SageMaker Distribution has which Python: it must be the caller's own."""
settings = {
    "image_uri": "885854791233.dkr.ecr.us-east-1.amazonaws.com/sagemaker-distribution-prod:"
    f"{LINES[sys.version_info[:2]]}-cpu",
    "instance_type": "ml.m5.large",
    "role": f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole",
}


@remote(
    **settings, sagemaker_session=session, environment_variables={"UNIT": "metres"}, keep_alive_period_in_seconds=60
)
def mean(numbers):
    """Runs in the job; what it answers, or raises, arrives here."""
    import os

    import numpy

    print("numpy", numpy.__version__, "averages", len(numbers), "numbers")
    return float(numpy.mean(numbers)), os.environ["UNIT"]


@step(name="Prepare", **settings)
def prepare(count):
    import numpy

    x = numpy.arange(count, dtype=float)
    return {"x": x, "y": 3 * x + 2}


@step(name="Fit", **settings)
def fit(data):
    import numpy

    slope, offset = numpy.polyfit(data["x"], data["y"], 1)
    error = float(numpy.abs(slope * data["x"] + offset - data["y"]).max())
    return {"slope": float(slope), "good": 1.0 - error}


def pipeline():
    wanted = ParameterFloat("Wanted", 0.9)
    fitted = fit(prepare(50))
    judged = ConditionStep(
        "Judge",
        conditions=[ConditionGreaterThanOrEqualTo(left=fitted["good"], right=wanted)],
        if_steps=[],
        else_steps=[FailStep("TooBad", error_message="The line does not fit.")],
    )
    return Pipeline("example-functions", parameters=[wanted], steps=[judged], sagemaker_session=session)


def main():
    average, unit = mean([1, 2, 6])
    print("the mean is", average, unit)

    made = pipeline()
    made.upsert(settings["role"])
    execution = made.start()
    execution.wait(delay=1, max_attempts=300)
    found = execution.result("Fit")
    steps = {each["StepName"]: each["StepStatus"] for each in execution.list_steps()}
    result = {"mean": average, "slope": round(found["slope"], 6), "steps": steps}
    print("RESULT " + json.dumps(result))


if __name__ == "__main__":
    main()
