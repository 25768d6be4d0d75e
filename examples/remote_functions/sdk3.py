"""A function that runs as a training job, and a pipeline of one, by SDK 3."""

from __future__ import annotations

import json
import sys

from sagemaker.core.helper.session_helper import Session
from sagemaker.core.remote_function import remote
from sagemaker.mlops.workflow.function_step import step
from sagemaker.mlops.workflow.pipeline import Pipeline

session = Session()
LINES = {(3, 10): 1, (3, 11): 2, (3, 12): 3}
settings = {
    "image_uri": "885854791233.dkr.ecr.us-east-1.amazonaws.com/sagemaker-distribution-prod:"
    f"{LINES[sys.version_info[:2]]}-cpu",
    "instance_type": "ml.m5.large",
    "role": f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole",
}


@remote(**settings, sagemaker_session=session)
def evens(numbers):
    return [number for number in numbers if number % 2 == 0]


@step(name="Count", **settings)
def count(words):
    return len(words.split())


def main():
    found = evens([1, 2, 3, 4])
    print("even are", found)
    made = Pipeline("example-functions-3", steps=[count("a pipeline of one step")], sagemaker_session=session)
    made.upsert(settings["role"])
    execution = made.start()
    execution.wait(delay=1, max_attempts=300)
    print("RESULT " + json.dumps({"evens": found, "count": execution.result("Count")}))


if __name__ == "__main__":
    main()
