"""Tuning with SageMaker's Python SDK 3: the built-in XGBoost, and a script of one's own.

sdk3.py DATA SCRIPT_DIR     DATA holds train/ and validation/ as CSV, label first
"""

import json
import sys
import time
from pathlib import Path

from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.parameter import ContinuousParameter, IntegerParameter
from sagemaker.core.training.configs import Compute, InputData, OutputDataConfig, SourceCode, StoppingCondition
from sagemaker.train import ModelTrainer
from sagemaker.train.tuner import HyperparameterTuner

data, scripts = Path(sys.argv[1]), sys.argv[2]
session = Session()
bucket, region = session.default_bucket(), session.boto_region_name
role = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"
inputs = [
    InputData(
        channel_name=name,
        data_source=session.upload_data(str(data / name), bucket, f"tuning3/{name}"),
        content_type="text/csv",
    )
    for name in ("train", "validation")
]
common = {
    "role": role,
    "sagemaker_session": session,
    "compute": Compute(instance_type="ml.m5.xlarge", instance_count=1, volume_size_in_gb=10),
    "stopping_condition": StoppingCondition(max_runtime_in_seconds=600),
    "output_data_config": OutputDataConfig(s3_output_path=f"s3://{bucket}/tuning3/output"),
}
stamp = time.strftime("%H%M%S")

boosted = HyperparameterTuner(
    ModelTrainer(
        training_image=image_uris.retrieve("xgboost", region, "1.7-1"),
        base_job_name="tuned3",
        hyperparameters={"objective": "binary:logistic", "num_round": 20},
        **common,
    ),
    "validation:auc",
    {"eta": ContinuousParameter(0.01, 0.5, scaling_type="Logarithmic"), "max_depth": IntegerParameter(1, 6)},
    max_jobs=4,
    max_parallel_jobs=2,
)
boosted.tune(inputs=inputs, job_name=f"boosted-{stamp}")
job = boosted.describe()
assert job.hyper_parameter_tuning_job_status == "Completed", job
assert job.training_job_status_counters.completed == 4, job.training_job_status_counters
auc = job.best_training_job.final_hyper_parameter_tuning_job_objective_metric.value
assert 0.9 < auc <= 1, auc
assert boosted.best_training_job().startswith(f"boosted-{stamp}-00")

linear = HyperparameterTuner(
    ModelTrainer(
        training_image=image_uris.retrieve("sklearn", region, "1.2-1", py_version="py3", instance_type="ml.m5.xlarge"),
        base_job_name="linear3",
        source_code=SourceCode(source_dir=scripts, entry_script="train.py"),
        **common,
    ),
    "auc",
    {"strength": ContinuousParameter(0.01, 1.0)},
    metric_definitions=[{"Name": "auc", "Regex": "validation-auc: ([0-9.]+)"}],
    strategy="Random",
    max_jobs=2,
    max_parallel_jobs=2,
)
linear.tune(inputs=inputs, job_name=f"linear-{stamp}")
told = linear.describe()
assert told.hyper_parameter_tuning_job_status == "Completed", told
assert told.objective_status_counters.succeeded == 2, told
print("RESULT " + json.dumps({"boosted": auc, "linear": told.training_job_status_counters.completed}))
