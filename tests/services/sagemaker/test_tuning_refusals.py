"""What a CreateHyperParameterTuningJob is refused for, in which words."""

from __future__ import annotations

from typing import Any

import pytest
from training_requests import BUCKET, XGBOOST, channel
from tuning_requests import TuningBench, number, refused


@pytest.fixture(scope="module")
def bench(server: Any) -> TuningBench:
    return TuningBench(server)


def words(bench: TuningBench, config: dict[str, Any] | None = None, **changes: Any) -> str:
    """Of the refusal; nothing was made."""
    code, message = refused(lambda: bench.create("refused", config, **changes))
    assert code == "ValidationException"
    assert refused(lambda: bench.describe("refused"))[0] == "ResourceNotFound"
    return message


def with_ranges(bench: TuningBench, kind: str, *ranges: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return bench.config(ParameterRanges={f"{kind}ParameterRanges": list(ranges)}, **changes)


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("Continuous", number("place", "2", "1"), "MinValue 2 of hyperparameter place is greater than its MaxValue 1."),
        ("Integer", number("place", "2", "1"), "MinValue 2 of hyperparameter place is greater than its MaxValue 1."),
        ("Continuous", number("place", "much", "1"), "MinValue of hyperparameter place is not a number: much"),
        ("Continuous", number("place", "0", "nan"), "MaxValue of hyperparameter place is not a number: nan"),
        ("Continuous", number("place", "0", "1e999"), "MaxValue of hyperparameter place is not a number: 1e999"),
        ("Integer", number("place", "1.5", "2"), "MinValue of hyperparameter place is not a whole number: 1.5"),
        ("Integer", number("place", "1", "9" * 30), "MaxValue of hyperparameter place is not a whole number"),
        ("Continuous", number("place", "0", "1", "Logarithmic"), "Logarithmic scaling works only for ranges"),
        ("Continuous", number("place", "0", "1", "ReverseLogarithmic"), "Reverse logarithmic scaling works only"),
        ("Integer", number("place", "0", "1", "ReverseLogarithmic"), "Reverse logarithmic scaling works only"),
        ("Categorical", {"Name": "place", "Values": ["a", "a"]}, "Value a of hyperparameter place is given twice."),
        ("Continuous", number("epochs-run", "0", "1"), "Hyperparameter epochs-run is given more than once"),
    ],
)
def test_ranges_that_are_none(bench: TuningBench, kind: str, given: dict[str, Any], said: str) -> None:
    fixed = bench.definition({"epochs-run": "1"})
    assert said in words(bench, with_ranges(bench, kind, given), TrainingJobDefinition=fixed)


def test_a_name_twice_and_no_name(bench: TuningBench) -> None:
    twice = with_ranges(bench, "Continuous", number("place", "0", "1"), number("place", "0", "2"))
    assert "place is given more than once" in words(bench, twice)
    assert "no hyperparameter ranges to search" in words(bench, bench.config(ParameterRanges={}))


def test_too_few_combinations(bench: TuningBench) -> None:
    assert words(bench, with_ranges(bench, "Integer", number("place", "1", "3"), jobs=10)) == (
        "You don't have enough combinations of hyperparameter ranges. The total number of hyperparameter combinations "
        "for the provided ranges [3.0] must be equal or greater than the value of MaxNumberOfJobs, [10]. Provide "
        "additional ranges."
    )


def test_a_grid_is_of_choices_alone(bench: TuningBench) -> None:
    assert "Only categorical parameters" in words(bench, bench.config("Grid", None))
    few = [{"Name": "place", "Values": ["0", "1"]}]
    config = bench.config("Grid", 3, ParameterRanges={"CategoricalParameterRanges": few})
    assert "MaxNumberOfTrainingJobs is 3" in words(bench, config)


def test_an_objective_that_nothing_tells(bench: TuningBench) -> None:
    config = bench.config(HyperParameterTuningJobObjective={"Type": "Minimize", "MetricName": "else"})
    assert words(bench, config) == (
        "A metric is required for this hyperparameter tuning job objective. Provide a metric in the metric definitions."
    )
    del config["HyperParameterTuningJobObjective"]
    assert "needs an objective" in words(bench, config)


def test_an_algorithm_that_is_not_there_is_named(bench: TuningBench) -> None:
    lacking = "811284229777.dkr.ecr.us-east-1.amazonaws.com/image-classification:1"
    definition = bench.definition(AlgorithmSpecification={"TrainingImage": lacking, "TrainingInputMode": "File"})
    objective = {"Type": "Maximize", "MetricName": "validation:accuracy"}
    config = bench.config(HyperParameterTuningJobObjective=objective)
    assert "image-classification" in words(bench, config, TrainingJobDefinition=definition)


def test_a_script_in_an_algorithms_image_has_its_metrics(bench: TuningBench) -> None:
    definition = bench.definition(AlgorithmSpecification={"TrainingImage": XGBOOST, "TrainingInputMode": "File"})
    objective = {"Type": "Maximize", "MetricName": "validation:rmse"}
    config = bench.config(HyperParameterTuningJobObjective=objective)
    assert "is to be minimized, not maximized" in words(bench, config, TrainingJobDefinition=definition)


def test_an_algorithm_knows_its_metrics_and_hyperparameters(bench: TuningBench) -> None:
    algorithm = bench.definition(
        AlgorithmSpecification={"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
        StaticHyperParameters={"num_round": "5"},
        InputDataConfig=[channel("train", "input/one")],
    )

    def of_xgboost(metric: str, direction: str, kind: str, *ranges: dict[str, Any]) -> str:
        objective = {"Type": direction, "MetricName": metric}
        config = with_ranges(bench, kind, *ranges, HyperParameterTuningJobObjective=objective)
        return words(bench, config, TrainingJobDefinition=algorithm)

    eta = number("eta", "0.1", "0.5")
    assert "[validation:beauty] is not one" in of_xgboost("validation:beauty", "Minimize", "Continuous", eta)
    assert "[train:auc] is not one" in of_xgboost("train:auc", "Maximize", "Continuous", eta)
    assert "is to be maximized, not minimized" in of_xgboost("validation:auc", "Minimize", "Continuous", eta)
    good = ("validation:auc", "Maximize")
    assert "no hyperparameter depth" in of_xgboost(*good, "Continuous", number("depth", "1", "2"))
    assert "tuned as Continuous" in of_xgboost(*good, "Continuous", number("max_depth", "1", "2"))
    assert of_xgboost(*good, "Continuous", number("eta", "0.1", "1.5")) == "Hyperparameter eta: 1.5 is not in [0, 1]"
    open_end = (number("subsample", "0", "1"), number("depth", "1", "2"))
    assert "no hyperparameter depth" in of_xgboost(*good, "Continuous", *open_end), "(0, 1] may be searched from 0"
    both = (number("eta", "0.1", "0.5"), number("learning_rate", "0.1", "0.5"))
    assert "learning_rate is given more than once" in of_xgboost(*good, "Continuous", both[1], both[0])


def test_strategies_and_limits(bench: TuningBench) -> None:
    early = bench.config("Hyperband", TrainingJobEarlyStoppingType="Auto")
    early["StrategyConfig"] = {"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 9}}
    assert "must be Off with the Hyperband strategy" in words(bench, early)
    backwards = bench.config("Hyperband")
    backwards["StrategyConfig"] = {"HyperbandStrategyConfig": {"MinResource": 10, "MaxResource": 9}}
    assert "MinResource 10, MaxResource 9" in words(bench, backwards)
    other = bench.config(StrategyConfig=backwards["StrategyConfig"])
    assert "only be given with the Hyperband strategy" in words(bench, other)
    assert "ResourceLimits needs MaxNumberOfTrainingJobs" in words(bench, bench.config(jobs=None))
    for limits in ({"MaxNumberOfTrainingJobs": 751, "MaxParallelTrainingJobs": 1}, {"MaxParallelTrainingJobs": 101}):
        config = bench.config(ResourceLimits={"MaxNumberOfTrainingJobs": 5, **limits})
        assert refused(lambda config=config: bench.create("refused", config))[0] == "ResourceLimitExceeded"  # type: ignore[misc]


def test_definitions(bench: TuningBench) -> None:
    assert "either TrainingJobDefinition or" in words(bench, TrainingJobDefinition=None)
    several = [bench.definition(DefinitionName="a")]
    assert "either TrainingJobDefinition or" in words(bench, TrainingJobDefinitions=several)
    assert "may not be given together" in words(bench, TrainingJobDefinition=None, TrainingJobDefinitions=several)
    both = bench.definition(HyperParameterTuningResourceConfig={"InstanceType": "ml.m5.xlarge", "InstanceCount": 1})
    assert "either ResourceConfig or" in words(bench, TrainingJobDefinition=both)


def test_what_the_training_jobs_would_be_refused_for(bench: TuningBench) -> None:
    missing = bench.definition(InputDataConfig=[channel("train", "nothing/there")])
    assert words(bench, TrainingJobDefinition=missing).startswith(
        f'No S3 objects found under S3 URL "s3://{BUCKET}/nothing/there" given in input data source.'
    )
    nobody = bench.definition(RoleArn="arn:aws:iam::123456789012:role/nobody-here")
    assert words(bench, TrainingJobDefinition=nobody).startswith("Could not assume role")
    swapped = bench.definition(VpcConfig={"SecurityGroupIds": ["subnet-1"], "Subnets": ["sg-1"]})
    assert "VpcConfig.SecurityGroupIds has 'subnet-1'" in words(bench, TrainingJobDefinition=swapped)


def test_names_at_their_limit(bench: TuningBench) -> None:
    name = "n" * 32
    job = bench.run(name, bench.config(jobs=1))
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    (trial,) = bench.trials(name)
    assert len(trial["TrainingJobName"]) == 45
    assert refused(lambda: bench.create("n" * 33))[0] == "ValidationException"
