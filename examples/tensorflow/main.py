"""TensorFlow with SageMaker's Python SDK 2: a script on two instances, then an endpoint.

main.py     needs numpy, which the SDK brings; TensorFlow runs in the jobs alone
"""

import json
from pathlib import Path

import numpy as np
import sagemaker
from sagemaker.tensorflow import TensorFlow

session = sagemaker.Session()
bucket = session.default_bucket()
role = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"

random = np.random.default_rng(0)
angles = random.uniform(0, 2 * np.pi, 400)
outer = random.integers(0, 2, 400)
radii = 1 + outer + random.normal(0, 0.1, 400)
rows = np.column_stack([radii * np.cos(angles), radii * np.sin(angles), outer])
lines = [",".join(f"{cell:.6f}" for cell in row) for row in rows]
training = session.upload_string_as_file_body("\n".join(lines), bucket, "rings/rings.csv")

estimator = TensorFlow(
    entry_point="train.py",
    source_dir=str(Path(__file__).parent / "script"),
    framework_version="2.16",
    py_version="py310",
    role=role,
    instance_count=2,
    instance_type="ml.m5.xlarge",
    distribution={"multi_worker_mirrored_strategy": {"enabled": True}},
    hyperparameters={"steps": 200},
    metric_definitions=[{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
    sagemaker_session=session,
)
estimator.fit({"training": training})

predictor = estimator.deploy(1, "ml.m5.large")
found = np.array(predictor.predict({"instances": rows[:, :2].tolist()})["predictions"])
accuracy = float(np.mean((found > 0.5) == rows[:, 2]))
assert accuracy > 0.95, accuracy
predictor.delete_model()
predictor.delete_endpoint()
print("RESULT " + json.dumps({"accuracy": accuracy}))
