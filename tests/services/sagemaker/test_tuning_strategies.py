"""Strategies, early stopping, completion criteria and warm starts of tuning jobs on a real server."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from training_requests import BUCKET
from tuning_requests import TuningBench, number, refused


@pytest.fixture(scope="module")
def bench(server: Any) -> TuningBench:
    return TuningBench(server)


def places(trials: list[dict[str, Any]]) -> list[float]:
    return [float(each["TunedHyperParameters"]["place"]) for each in trials]


def choices(name: str, *values: str) -> dict[str, Any]:
    return {"Name": name, "Values": list(values)}


def test_a_grid_tries_every_combination_once(bench: TuningBench) -> None:
    ranges = {"CategoricalParameterRanges": [choices("place", "0.1", "0.3", "0.9"), choices("kind", '"a"', '"b"')]}
    job = bench.run("grid", bench.config("Grid", None, ParameterRanges=ranges))
    assert job["TrainingJobStatusCounters"]["Completed"] == 6
    tried = {
        (each["TunedHyperParameters"]["place"], each["TunedHyperParameters"]["kind"]) for each in bench.trials("grid")
    }
    assert tried == set(product(("0.1", "0.3", "0.9"), ('"a"', '"b"')))
    assert job["BestTrainingJob"]["TunedHyperParameters"]["place"] == "0.3"


def test_the_same_seed_searches_the_same(bench: TuningBench) -> None:
    for name, seed in (("seed-one", 3), ("seed-same", 3), ("seed-other", 4)):
        bench.run(name, bench.config(RandomSeed=seed))
    one, same, other = (places(bench.trials(name)) for name in ("seed-one", "seed-same", "seed-other"))
    assert one == same != other


def test_a_bayesian_search_finds_the_place(bench: TuningBench) -> None:
    job = bench.run("bayes", bench.config("Bayesian", 12), TrainingJobDefinition=bench.definition())
    assert job["HyperParameterTuningJobStatus"] == "Completed", job
    found = float(job["BestTrainingJob"]["TunedHyperParameters"]["place"])
    assert abs(found - 0.3) < 0.02
    assert len(set(places(bench.trials("bayes")))) == 12


def test_bad_trials_are_stopped_early(bench: TuningBench) -> None:
    """All but the first three have a loss far above that of the others from the first epoch on."""
    config = bench.config("Grid", None, TrainingJobEarlyStoppingType="Auto")
    config["ParameterRanges"] = {"CategoricalParameterRanges": [choices("place", "0.3", "0.31", "0.32", "9", "0.2")]}
    config["ResourceLimits"] = {"MaxParallelTrainingJobs": 1}
    slow = bench.definition({"epochs-run": "30", "pause": "0.04"})
    job = bench.run("early", config, TrainingJobDefinition=slow)
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    ended = {each["TunedHyperParameters"]["place"]: each for each in bench.trials("early")}
    assert {place: each["TrainingJobStatus"] for place, each in ended.items()} == {
        "0.3": "Completed",
        "0.31": "Completed",
        "0.32": "Completed",
        "9": "Stopped",
        "0.2": "Completed",
    }
    assert ended["9"]["ObjectiveStatus"] == "Succeeded"
    assert ended["9"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] > 75
    assert job["TrainingJobStatusCounters"]["Stopped"] == 1


def test_hyperband_stops_what_is_worse_and_nothing_before_the_least(bench: TuningBench) -> None:
    config = bench.config("Hyperband", 8)
    config["StrategyConfig"] = {"HyperbandStrategyConfig": {"MinResource": 2, "MaxResource": 20}}
    job = bench.run("hyper", config, TrainingJobDefinition=bench.definition({"epochs-run": "20", "pause": "0.05"}))
    assert job["HyperParameterTuningJobStatus"] == "Completed", job
    counters = job["TrainingJobStatusCounters"]
    assert counters["Completed"] + counters["Stopped"] == 8
    assert counters["Stopped"] >= 1
    for each in bench.trials("hyper", StatusEquals="Stopped"):
        told = bench.training.lines(each["TrainingJobName"])
        assert 2 <= sum("loss=" in line for line in told) <= 20
    assert "BestTrainingJob" in job


def test_hyperband_takes_its_most_from_the_epochs(bench: TuningBench) -> None:
    config = bench.config("Hyperband", 2)
    code, words = refused(lambda: bench.create("no-most", config))
    assert code == "ValidationException" and "MaxResource" in words
    job = bench.run("most", config, TrainingJobDefinition=bench.definition({"epochs": "1"}))
    assert job["HyperParameterTuningJobStatus"] == "Completed"


def test_a_target_ends_the_job(bench: TuningBench) -> None:
    criteria = {"TargetObjectiveMetricValue": 1.005}  # of 0.3 alone: 0.40 has 1.01
    config = bench.config("Grid", None, TuningJobCompletionCriteria=criteria)
    values = ("0.9", "0.3", *(f"0.{digit}" for digit in range(40, 60)))
    config["ParameterRanges"] = {"CategoricalParameterRanges": [choices("place", *values)]}
    job = bench.run("target", config)
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert job["BestTrainingJob"]["TunedHyperParameters"]["place"] == "0.3"
    assert len(bench.trials("target")) < 8


def test_several_definitions_take_turns(bench: TuningBench) -> None:
    config = bench.config(jobs=4)
    del config["HyperParameterTuningJobObjective"], config["ParameterRanges"]
    definitions = [
        bench.definition(
            DefinitionName=name,
            TuningObjective={"Type": "Minimize", "MetricName": "loss"},
            HyperParameterRanges={"ContinuousParameterRanges": [number("place", low, high)]},
        )
        for name, low, high in (("low", "0", "0.5"), ("high", "0.6", "1"))
    ]
    job = bench.run("several", config, TrainingJobDefinition=None, TrainingJobDefinitions=definitions)
    assert job["HyperParameterTuningJobStatus"] == "Completed", job
    by_name = {each["TrainingJobName"]: each["TrainingJobDefinitionName"] for each in bench.trials("several")}
    assert sorted(by_name.values()) == ["high", "high", "low", "low"]
    assert job["BestTrainingJob"]["TrainingJobDefinitionName"] == "low"
    assert [each["DefinitionName"] for each in job["TrainingJobDefinitions"]] == ["low", "high"]
    assert "TrainingJobDefinition" not in job


def test_a_warm_start_knows_its_parents(bench: TuningBench) -> None:
    ranges = {"CategoricalParameterRanges": [choices("place", "0.3", "0.8")]}
    parent = bench.run("parent", bench.config("Grid", None, ParameterRanges=ranges))
    warm = {
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "parent"}],
        "WarmStartType": "IdenticalDataAndAlgorithm",
    }
    ranges = {"ContinuousParameterRanges": [number("place", "0.7", "1")]}
    child = bench.run("child", bench.config("Bayesian", 2, ParameterRanges=ranges), WarmStartConfig=warm)
    assert child["WarmStartConfig"] == warm
    assert child["OverallBestTrainingJob"] == parent["BestTrainingJob"]
    assert child["BestTrainingJob"]["TrainingJobName"].startswith("child-")
    learned = bench.run(
        "learned", bench.config("Bayesian", 2), WarmStartConfig={**warm, "WarmStartType": "TransferLearning"}
    )
    assert "OverallBestTrainingJob" not in learned


def test_a_warm_start_needs_parents_that_fit(bench: TuningBench) -> None:
    bench.run("fits", bench.config(jobs=1))

    def warm(name: str, kind: str = "IdenticalDataAndAlgorithm", **changes: Any) -> tuple[str, str]:
        config = {
            "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": name}],
            "WarmStartType": kind,
        }
        return refused(lambda: bench.create("unfit", WarmStartConfig=config, **changes))

    assert warm("nobody")[0] == "ResourceNotFound"
    assert "must remain the same" in warm("fits", TrainingJobDefinition=bench.definition({"more": "1"}))[1]
    data = [
        {
            "ChannelName": "train",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/input/one"}},
        }
    ]
    other_data = bench.definition(InputDataConfig=data)
    assert "InputDataConfig differs" in warm("fits", TrainingJobDefinition=other_data)[1]
    maximized = bench.config(HyperParameterTuningJobObjective={"Type": "Maximize", "MetricName": "loss"})
    assert "needs the same" in warm("fits", config=maximized)[1]


def test_autotune_chooses_the_ranges(bench: TuningBench) -> None:
    config = bench.config(jobs=None)
    config["ParameterRanges"] = {
        "AutoParameters": [{"Name": "place", "ValueHint": "0.2"}, {"Name": "kind", "ValueHint": '"a"'}]
    }
    config["ResourceLimits"]["MaxNumberOfTrainingJobs"] = 2
    job = bench.run("auto", config, Autotune={"Mode": "Enabled"})
    assert job["Autotune"] == {"Mode": "Enabled"}
    shown = job["HyperParameterTuningJobConfig"]
    (chosen,) = shown["ParameterRanges"]["ContinuousParameterRanges"]
    assert chosen["Name"] == "place" and 0 < float(chosen["MinValue"]) < 0.2 < float(chosen["MaxValue"]) <= 1
    assert shown["TrainingJobEarlyStoppingType"] == "Auto"
    assert shown["TuningJobCompletionCriteria"]["ConvergenceDetected"] == {"CompleteOnConvergence": "Enabled"}
    assert job["TrainingJobDefinition"]["StaticHyperParameters"]["kind"] == '"a"'
    assert all(set(each["TunedHyperParameters"]) == {"place"} for each in bench.trials("auto"))
