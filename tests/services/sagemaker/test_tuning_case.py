"""Case tune-01 (a random search of 20 trials over a logarithmic learning rate) in its form, on built-in XGBoost.

The case is a recorded notebook of aws/amazon-sagemaker-examples; Linear Learner, which it tunes, is not built in yet:
its accuracies are not compared. What is, is what a client sees: names, order, columns, statuses, where the learning
rates lie; and that every trial has the trial component which the notebook looks for. The order of the table's columns
is held by ``examples/tuning``, where SDK 2 makes it.
"""

from __future__ import annotations

import json
import math
import random
import re
from pathlib import Path
from typing import Any

import pytest
from training_requests import BUCKET, XGBOOST, channel
from tuning_requests import TuningBench, number

CASE = Path(__file__).parents[4] / "shared/reference/cases/tune-01-ll-random-20/expected/analytics_table.json"
pytestmark = pytest.mark.slow


def recorded() -> list[dict[str, Any]]:
    if not CASE.is_file():
        pytest.skip(f"the recorded case is not here: {CASE}")
    found = json.loads(CASE.read_text())
    rows = found if isinstance(found, list) else found["rows"]
    return [dict(row) for row in rows]


def reshaped(trial: dict[str, Any]) -> dict[str, Any]:
    """A row of SDK 2's ``HyperparameterTuningJobAnalytics``."""
    took = (trial["TrainingEndTime"] - trial["TrainingStartTime"]).total_seconds()
    return {
        **{name: float(value) for name, value in trial["TunedHyperParameters"].items()},
        "TrainingJobName": trial["TrainingJobName"],
        "TrainingJobStatus": trial["TrainingJobStatus"],
        "FinalObjectiveValue": trial["FinalHyperParameterTuningJobObjectiveMetric"]["Value"],
        "TrainingStartTime": trial["TrainingStartTime"],
        "TrainingEndTime": trial["TrainingEndTime"],
        "TrainingElapsedTimeSeconds": took,
    }


def test_a_random_search_looks_as_it_does_on_aws(server: Any) -> None:
    rows = recorded()
    bench, dice = TuningBench(server), random.Random(1)
    lines = [f"{int(x + dice.gauss(0, 1) > 0)},{x},{dice.gauss(0, 1)}" for x in (dice.gauss(0, 1) for _ in range(300))]
    bench.training.s3.put_object(Bucket=BUCKET, Key="case/rows.csv", Body="\n".join(lines).encode())
    objective = {"Type": "Maximize", "MetricName": "validation:accuracy"}
    ranges = {"ContinuousParameterRanges": [number("learning_rate", "0.01", "0.5", "Logarithmic")]}
    job = bench.run(
        "ll-svm-tuning-job",
        bench.config("Random", 20, HyperParameterTuningJobObjective=objective, ParameterRanges=ranges),
        TrainingJobDefinition=bench.definition(
            AlgorithmSpecification={"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
            StaticHyperParameters={"objective": "binary:logistic", "num_round": "3"},
            InputDataConfig=[channel(name, "case/rows.csv") for name in ("train", "validation")],
        ),
    )
    assert job["HyperParameterTuningJobStatus"] == "Completed", job
    mine = [reshaped(trial) for trial in bench.trials("ll-svm-tuning-job")]
    assert len(mine) == len(rows) == 20
    assert set(rows[0]) <= set(mine[0]) | {"index"}, (rows[0], mine[0])
    assert [each["TrainingJobName"][:-8] for each in mine] == [each["TrainingJobName"][:-8] for each in rows]
    assert all(re.fullmatch(r"ll-svm-tuning-job-\d{3}-[0-9a-f]{8}", each["TrainingJobName"]) for each in mine)
    assert {each["TrainingJobStatus"] for each in mine} == {each["TrainingJobStatus"] for each in rows} == {"Completed"}
    for table in (mine, rows):
        rates = [float(each["learning_rate"]) for each in table]
        assert all(0.01 <= rate <= 0.5 for rate in rates)
        # On the logarithmic scale the middle is 0.0707: of 20 even draws at least 4 lie on either side.
        below = sum(rate < math.sqrt(0.01 * 0.5) for rate in rates)
        assert 4 <= below <= 16
    best = max(mine, key=lambda each: each["FinalObjectiveValue"])
    told = job["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    assert told == best["FinalObjectiveValue"]
    wanted = {f"{each['TrainingJobName']}-aws-training-job" for each in mine}  # as the notebook's log names them

    def components() -> set[str]:
        pages = bench.sagemaker.get_paginator("list_trial_components").paginate()
        return {each["TrialComponentName"] for page in pages for each in page["TrialComponentSummaries"]}

    bench.until("ll-svm-tuning-job", lambda _: wanted <= components())
