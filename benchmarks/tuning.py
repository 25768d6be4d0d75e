"""How well tuning jobs search, and what they cost.

*Quality*: Bayesian against Random with the same number of trials, seed by seed, by the very code that a tuning job
runs (``engines/tuning/proposing``, the search's own process; two trials at a time, as a job with two places): on two
published functions (Branin, Hartmann 6; sfu.ca/~ssurjano/optimization.html) and on XGBoost's validation AUC on customer
churn (the telco data of ``../shared/data`` where it is, else the project's synthetic customers).

*Overhead*: a tuning job of 20 XGBoost trials, two at a time, from CreateHyperParameterTuningJob to Completed, against
the same 20 trainings (same data, hyperparameters, interpreter and library, one thread each) as processes of a person's
own script that reads two CSV files with pandas, trains and saves the model, two at a time. In turns.

    python benchmarks/tuning.py [--seeds 20] [--rounds 3] [quality | overhead]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
from training_overhead import start

from cloche.compute.images import EnvironmentBuilder
from cloche.engines.tuning import Definition, Objective, Plan, Range, Trial
from cloche.engines.tuning.proposing import chosen_at, propose
from cloche.engines.tuning.searching import Searcher
from cloche_jobs import catalog
from cloche_jobs.algorithms.xgboost.spec import HYPERPARAMETERS

SUBJECTS = Path(__file__).with_name("tuning_subjects.py")
TELCO = Path(__file__).parents[1].resolve().parent / "shared" / "data" / "churn-telco"
TRIALS = 20
PLACES = 2
TARGET_RATIO = 1.3
# What AWS recommends to tune, from where to where (dg/xgboost-tuning.html), but for the number of rounds; depth 0 is
# not for every tree method.
XGBOOST_RANGES = tuple(
    Range(each.name, "Integer", 1, 10)
    if each.name == "max_depth"
    else Range(each.name, "Continuous", each.tunable.min or 0, each.tunable.max or 0)
    for each in HYPERPARAMETERS.declared
    if each.tunable is not None and each.name != "num_round"
)
Function = Callable[[dict[str, str]], float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=("quality", "overhead"))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    image = next(each for each in catalog.IMAGES if each.key == "sagemaker-xgboost:1.7-1")
    builder = EnvironmentBuilder()
    python = builder.ensure(image.environment).python
    print(f"machine: {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        telco = [str(TELCO)] if TELCO.is_dir() else []
        subprocess.run([str(python), str(SUBJECTS), "data", str(work), *telco], check=True)
        print(f"churn data: {'telco' if telco else 'synthetic customers'}")
        if asked.part != "overhead":
            quality(builder, python, work, asked.seeds)
        if asked.part != "quality":
            overhead(python, image, work, asked.rounds)


# -- quality -------------------------------------------------------------------------------------------------


def quality(builder: EnvironmentBuilder, python: Path, work: Path, seeds: int) -> None:
    searcher = Searcher(lambda: builder.ensure(catalog.SEARCH).python)
    judge = subprocess.Popen(
        [str(python), str(SUBJECTS), "judge", str(work)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert judge.stdin is not None and judge.stdout is not None
    asks, answers = judge.stdin, judge.stdout

    def loss_of_churn(chosen: dict[str, str]) -> float:
        asks.write(json.dumps(chosen) + "\n")
        asks.flush()
        return 1 - float(answers.readline())

    unit = [Range(f"x{axis}", "Continuous", 0.0, 1.0, "Linear") for axis in range(6)]
    try:
        for title, function, ranges, trials, best in (
            ("Branin, distance from the optimum", branin, unit[:2], 30, 0.397887),
            ("Hartmann 6, distance from the optimum", hartmann, unit, 50, -3.32237),
            ("churn, 1 - validation AUC", loss_of_churn, XGBOOST_RANGES, 25, 0.0),
        ):
            compare(title, function, ranges, trials, best, seeds, searcher)
    finally:
        asks.close()
        judge.wait()
        searcher.close()


def compare(
    title: str, function: Function, ranges: Sequence[Range], trials: int, best: float, seeds: int, searcher: Searcher
) -> None:
    found: dict[str, list[float]] = {}
    for strategy in ("Bayesian", "Random"):
        found[strategy] = [search(strategy, function, ranges, trials, seed, searcher) - best for seed in range(seeds)]
    pairs = list(zip(found["Bayesian"], found["Random"], strict=True))
    wins = sum(mine < other for mine, other in pairs)
    decided = sum(mine != other for mine, other in pairs)
    chance = sum(math.comb(decided, count) for count in range(wins, decided + 1)) / 2**decided
    middle = {strategy: statistics.median(values) for strategy, values in found.items()}
    print(f"{title}: {trials} trials, {seeds} seeds")
    print(f"    median  Bayesian {middle['Bayesian']:.5f}   Random {middle['Random']:.5f}")
    print(f"    Bayesian is better {wins} of {decided} times (sign test, one-sided: p = {chance:.2g})")


def search(
    strategy: str, function: Function, ranges: Sequence[Range], count: int, seed: int, searcher: Searcher
) -> float:
    definition = Definition("", "", Objective("loss", maximize=False), tuple(ranges), {})
    plan = Plan("arn", "job", "1", "r", strategy, seed, (definition,), count, PLACES)
    trials: list[Trial] = []
    for number in range(1, count + PLACES):
        if number <= count:
            point = propose(plan, 0, number, trials, searcher.ask)
            trials.append(Trial(number, 0, "", str(number), chosen_at(definition, point), point, "InProgress"))
        if number >= PLACES:  # the oldest of those that run ends
            at = number - PLACES
            value = function(trials[at].chosen)
            trials[at] = replace(trials[at], status="Completed", objective=value, ended_at=float(number))
    return min(trial.objective for trial in trials if trial.objective is not None)


def branin(chosen: dict[str, str]) -> float:
    x, y = float(chosen["x0"]) * 15 - 5, float(chosen["x1"]) * 15
    valley = y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6
    return valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


HARTMANN_A = (
    (10, 3, 17, 3.5, 1.7, 8),
    (0.05, 10, 17, 0.1, 8, 14),
    (3, 3.5, 1.7, 10, 17, 8),
    (17, 8, 0.05, 10, 0.1, 14),
)
HARTMANN_P = (
    (1312, 1696, 5569, 124, 8283, 5886),
    (2329, 4135, 8307, 3736, 1004, 9991),
    (2348, 1451, 3522, 2883, 3047, 6650),
    (4047, 8828, 8732, 5743, 1091, 381),
)


def hartmann(chosen: dict[str, str]) -> float:
    point = [float(chosen[f"x{axis}"]) for axis in range(6)]
    total = 0.0
    for weight, steep, places in zip((1, 1.2, 3, 3.2), HARTMANN_A, HARTMANN_P, strict=True):
        distance = sum(a * (x - p / 10_000) ** 2 for a, x, p in zip(steep, point, places, strict=True))
        total -= weight * math.exp(-distance)
    return total


# -- overhead ------------------------------------------------------------------------------------------------


def overhead(python: Path, image: catalog.Image, work: Path, rounds: int) -> None:
    server, url = start(work)
    try:
        keys = json.loads((work / "data" / "keys" / "root.json").read_text())
        session = boto3.session.Session(keys["AccessKeyId"], keys["SecretAccessKey"], region_name="us-east-1")
        s3, sagemaker, iam = (session.client(name, endpoint_url=url) for name in ("s3", "sagemaker", "iam"))
        s3.create_bucket(Bucket="bench")
        for name in ("train", "validation"):
            s3.upload_file(str(work / f"{name}.csv"), "bench", f"{name}/data.csv")
        role = iam.list_roles()["Roles"][0]["Arn"]
        for strategy in ("Random", "Bayesian"):
            jobs, bares = [], []
            for number in range(rounds + 1):
                seconds, chosen = tuned(sagemaker, role, image, f"{strategy}-{number}", strategy)
                bare = by_hand(python, work, chosen)
                if number:  # the first of both only warms the caches
                    jobs.append(seconds)
                    bares.append(bare)
            ratio = statistics.median(job / bare for job, bare in zip(jobs, bares, strict=True))
            print(f"{strategy}: {TRIALS} XGBoost trials, {PLACES} at a time; {rounds} rounds, medians")
            print(f"    tuning job            {statistics.median(jobs):7.3f} s")
            print(f"    the same by hand      {statistics.median(bares):7.3f} s")
            print(f"    ratio                 {ratio:7.2f}     (target: at most {TARGET_RATIO})")
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def tuned(sagemaker: Any, role: str, image: catalog.Image, name: str, strategy: str) -> tuple[float, list[Any]]:
    def shown(each: Range) -> dict[str, str]:
        ends = [str(int(end)) if each.kind == "Integer" else str(end) for end in (each.low, each.high)]
        return {"Name": each.name, "MinValue": ends[0], "MaxValue": ends[1], "ScalingType": each.scaling}

    ranges = {
        f"{kind}ParameterRanges": [shown(each) for each in XGBOOST_RANGES if each.kind == kind]
        for kind in ("Integer", "Continuous")
    }
    channels = [
        {
            "ChannelName": channel,
            "ContentType": "text/csv",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://bench/{channel}"}},
        }
        for channel in ("train", "validation")
    ]
    began = time.perf_counter()
    sagemaker.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name,
        HyperParameterTuningJobConfig={
            "Strategy": strategy,
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation:auc"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": TRIALS, "MaxParallelTrainingJobs": PLACES},
            "ParameterRanges": ranges,
            "RandomSeed": 1,
        },
        TrainingJobDefinition={
            "RoleArn": role,
            "AlgorithmSpecification": {"TrainingImage": image.uri(), "TrainingInputMode": "File"},
            "StaticHyperParameters": {"objective": "binary:logistic", "num_round": "60", "nthread": "1", "seed": "0"},
            "InputDataConfig": channels,
            "OutputDataConfig": {"S3OutputPath": "s3://bench/output"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        },
    )
    while True:
        job = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        if job["HyperParameterTuningJobStatus"] != "InProgress":
            break
        time.sleep(0.02)
    seconds = time.perf_counter() - began
    if job["TrainingJobStatusCounters"]["Completed"] != TRIALS:
        raise SystemExit(f"{name} did not complete: {job}")
    listed = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name, MaxResults=100
    )
    return seconds, [each["TunedHyperParameters"] for each in reversed(listed["TrainingJobSummaries"])]


def by_hand(python: Path, work: Path, chosen: list[Any]) -> float:
    def one(number: int) -> None:
        line = [
            str(python),
            str(SUBJECTS),
            "train",
            str(work),
            str(work / f"{number}.json"),
            json.dumps(chosen[number]),
        ]
        quiet = subprocess.DEVNULL
        subprocess.run(line, check=True, stdout=quiet, stderr=quiet, env={**os.environ, "OMP_NUM_THREADS": "1"})

    began = time.perf_counter()
    with ThreadPoolExecutor(PLACES) as pool:
        list(pool.map(one, range(len(chosen))))
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
