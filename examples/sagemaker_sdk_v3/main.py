"""SageMaker Python SDK v3: ModelTrainer on the built-in XGBoost, its core resources to deploy and ask.

main.py DATA
"""

import json
import sys
from pathlib import Path

import numpy as np
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.resources import Endpoint, EndpointConfig, Model, TrainingJob
from sagemaker.core.shapes import ContainerDefinition, ProductionVariant
from sagemaker.core.training.configs import Compute, InputData, OutputDataConfig, StoppingCondition
from sagemaker.train import ModelTrainer

data = Path(sys.argv[1])
session = Session()
bucket = session.default_bucket()
role = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"
region = session.boto_region_name
image = image_uris.retrieve("xgboost", region, "1.7-1")
rows = np.loadtxt(data / "test" / "test.csv", delimiter=",")
features, labels = rows[:, 1:], rows[:, 0]

trainer = ModelTrainer(
    training_image=image,
    role=role,
    sagemaker_session=session,
    base_job_name="sdk3-xgboost",
    hyperparameters={"objective": "binary:logistic", "eval_metric": "auc", "num_round": 20, "max_depth": 3},
    compute=Compute(instance_type="ml.m5.xlarge", instance_count=1, volume_size_in_gb=10),
    stopping_condition=StoppingCondition(max_runtime_in_seconds=600),
    output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/sdk3/output"),
)
inputs = [
    InputData(
        channel_name=name,
        data_source=session.upload_data(str(data / name), bucket, f"sdk3/{name}"),
        content_type="text/csv",
    )
    for name in ("train", "validation")
]
trainer.train(input_data_config=inputs, wait=True, logs=True)
job = TrainingJob.get(trainer._latest_training_job.training_job_name)
assert job.training_job_status == "Completed", job.training_job_status
metrics = {metric.metric_name: metric.value for metric in job.final_metric_data_list}
assert metrics["validation:auc"] > 0.9, metrics

model = Model.create(
    model_name=job.training_job_name,
    primary_container=ContainerDefinition(image=image, model_data_url=job.model_artifacts.s3_model_artifacts),
    execution_role_arn=role,
)
variant = ProductionVariant(
    variant_name="AllTraffic",
    model_name=model.model_name,
    instance_type="ml.m5.large",
    initial_instance_count=1,
    initial_variant_weight=1.0,
)
EndpointConfig.create(endpoint_config_name=job.training_job_name, production_variants=[variant])
endpoint = Endpoint.create(endpoint_name=job.training_job_name, endpoint_config_name=job.training_job_name)
endpoint.wait_for_status("InService")
body = "\n".join(",".join(str(value) for value in row) for row in features)
answer = endpoint.invoke(body=body, content_type="text/csv", accept="text/csv").body.read().decode()
scores = np.array([float(value) for value in answer.replace("\n", ",").split(",") if value])
accuracy = float(np.mean((scores > 0.5) == labels))
assert accuracy > 0.85, accuracy
assert [found.training_job_name for found in TrainingJob.get_all(name_contains="sdk3-xgboost")] == [
    job.training_job_name
]
endpoint.delete()
endpoint.wait_for_delete()
print("RESULT " + json.dumps({"validation:auc": metrics["validation:auc"], "accuracy": accuracy}))
