"""SageMaker Python SDK v2 on several instances: XGBoost on two, then on two groups of different types.

main.py DATA     DATA holds train/train.csv, label first
"""

import json
import sys
from pathlib import Path

import sagemaker
from sagemaker import image_uris
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.instance_group import InstanceGroup

session = sagemaker.Session()
bucket = session.default_bucket()
role = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"
image = image_uris.retrieve("xgboost", session.boto_region_name, "1.7-1")
parameters = {"objective": "binary:logistic", "tree_method": "hist", "num_round": 10}

# Each instance gets every second object: so the data go up in parts.
lines = (Path(sys.argv[1]) / "train" / "train.csv").read_text().splitlines(keepends=True)
for part in range(4):
    session.upload_string_as_file_body("".join(lines[part::4]), bucket, f"parts/{part}.csv")
parts = f"s3://{bucket}/parts/"

losses = {}
for count in (1, 2):
    estimator = Estimator(
        image,
        role,
        instance_count=count,
        instance_type="ml.m5.xlarge",
        hyperparameters=parameters,
        sagemaker_session=session,
    )
    estimator.fit({"train": TrainingInput(parts, content_type="text/csv", distribution="ShardedByS3Key")})
    losses[f"loss_of_{count}"] = float(estimator.training_job_analytics.dataframe()["value"].iloc[-1])

groups = [InstanceGroup("small", "ml.m5.xlarge", 1), InstanceGroup("large", "ml.c5.2xlarge", 2)]
estimator = Estimator(
    image, role, instance_groups=groups, hyperparameters=parameters, sagemaker_session=session, volume_size=5
)
both = ["small", "large"]
data = TrainingInput(parts, content_type="text/csv", instance_groups=both, distribution="ShardedByS3Key")
estimator.fit({"train": data})
losses["loss_of_groups"] = float(estimator.training_job_analytics.dataframe()["value"].iloc[-1])
print("RESULT", json.dumps(losses))
