"""Tuning with SageMaker's Python SDK 2: one estimator, a warm start from it, and two estimators at once.

main.py DATA SCRIPT_DIR     DATA holds train/ and validation/ as CSV, label first
"""

import json
import sys
import time
from pathlib import Path

import sagemaker
from sagemaker import image_uris
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.sklearn import SKLearn
from sagemaker.tuner import ContinuousParameter, HyperparameterTuner, IntegerParameter

data, scripts = Path(sys.argv[1]), sys.argv[2]
session = sagemaker.Session()
bucket = session.default_bucket()
role = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"
channels = {
    name: TrainingInput(session.upload_data(str(data / name), bucket, f"tuning/{name}"), content_type="text/csv")
    for name in ("train", "validation")
}
xgboost = Estimator(
    image_uris.retrieve("xgboost", session.boto_region_name, "1.7-1"),
    role,
    instance_count=1,
    instance_type="ml.m5.xlarge",
    output_path=f"s3://{bucket}/tuning/output",
    sagemaker_session=session,
    hyperparameters={"objective": "binary:logistic", "num_round": 20},
)
stamp = time.strftime("%H%M%S")
tuner = HyperparameterTuner(
    xgboost,
    "validation:auc",
    {
        "eta": ContinuousParameter(0.01, 0.5, scaling_type="Logarithmic"),
        "max_depth": IntegerParameter(1, 6),
        "subsample": ContinuousParameter(0.5, 1.0),
    },
    max_jobs=6,
    max_parallel_jobs=2,
    strategy="Bayesian",
    early_stopping_type="Auto",
    random_seed=1,
    tags=[{"Key": "team", "Value": "journey"}],
)
tuner.fit(channels, job_name=f"xgb-{stamp}")
table = tuner.analytics().dataframe()
print(table.to_string())
assert list(table["TrainingJobName"].str.slice(-12, -9)) == ["006", "005", "004", "003", "002", "001"], table
told = ("Name", "Status", "StartTime", "EndTime", "ElapsedTimeSeconds")
columns = [name.removeprefix("Training").removeprefix("Job") for name in table.columns]
assert columns[3:] == [*told[:2], "FinalObjectiveValue", *told[2:]], "as AWS's own table, after the hyperparameters"
assert table["FinalObjectiveValue"].between(0.9, 1).all(), table
assert table["eta"].between(0.01, 0.5).all() and table["max_depth"].isin(range(1, 7)).all(), table
best = table.loc[table["FinalObjectiveValue"].idxmax()]
assert tuner.best_training_job() == best["TrainingJobName"]
estimator = tuner.best_estimator()
assert estimator.model_data.endswith("/output/model.tar.gz"), estimator.model_data
again = HyperparameterTuner.attach(tuner.latest_tuning_job.name, sagemaker_session=session)
assert set(again.hyperparameter_ranges()["ContinuousParameterRanges"][0]) >= {"Name", "MinValue", "MaxValue"}

warm = tuner.identical_dataset_and_algorithm_tuner()
warm.max_jobs, warm.max_parallel_jobs = 2, 2
warm.fit(channels, job_name=f"warm-{stamp}")
told = warm.describe()
assert told["WarmStartConfig"]["ParentHyperParameterTuningJobs"][0]["HyperParameterTuningJobName"] == f"xgb-{stamp}"
overall = told["OverallBestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
assert overall >= float(best["FinalObjectiveValue"]) - 1e-6, (overall, best)

script = SKLearn(
    entry_point="train.py",
    source_dir=scripts,
    framework_version="1.2-1",
    py_version="py3",
    role=role,
    instance_type="ml.m5.xlarge",
    sagemaker_session=session,
)
several = HyperparameterTuner.create(
    estimator_dict={"boosted": xgboost, "linear": script},
    objective_metric_name_dict={"boosted": "validation:auc", "linear": "script:auc"},
    hyperparameter_ranges_dict={
        "boosted": {"max_depth": IntegerParameter(1, 6)},
        "linear": {"strength": ContinuousParameter(0.01, 1.0)},
    },
    metric_definitions_dict={"linear": [{"Name": "script:auc", "Regex": "validation-auc: ([0-9.]+)"}]},
    strategy="Random",
    max_jobs=4,
    max_parallel_jobs=2,
)
several.fit({"boosted": channels, "linear": channels}, job_name=f"several-{stamp}", include_cls_metadata={})
frames = several.analytics().dataframe()
assert sorted(frames["TrainingJobDefinitionName"]) == ["boosted", "boosted", "linear", "linear"], frames
assert frames["FinalObjectiveValue"].between(0.9, 1).all(), frames
print("RESULT " + json.dumps({"best": float(best["FinalObjectiveValue"]), "overall": overall}))
