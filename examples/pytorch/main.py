"""PyTorch with SageMaker's Python SDK 2: a script on two instances with torchrun, then an endpoint.

main.py     needs numpy, which the SDK brings; torch runs in the jobs alone
"""

import json
from pathlib import Path

import numpy as np
import sagemaker
from sagemaker.pytorch import PyTorch

session = sagemaker.Session()
bucket = session.default_bucket()
role = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"
scripts = str(Path(__file__).parent / "script")

random = np.random.default_rng(0)
angles = random.uniform(0, 2 * np.pi, 400)
outer = random.integers(0, 2, 400)
radii = 1 + outer + random.normal(0, 0.1, 400)
rows = np.column_stack([radii * np.cos(angles), radii * np.sin(angles), outer])
lines = [",".join(f"{cell:.6f}" for cell in row) for row in rows]
training = session.upload_string_as_file_body("\n".join(lines), bucket, "rings/rings.csv")

estimator = PyTorch(
    entry_point="train.py",
    source_dir=scripts,
    framework_version="2.6.0",
    py_version="py312",
    role=role,
    instance_count=2,
    instance_type="ml.g5.xlarge",  # the SDK wants one with a GPU; none is needed
    distribution={"torch_distributed": {"enabled": True}},
    hyperparameters={"epochs": 100},
    environment={"OMP_NUM_THREADS": "1"},  # so small a network is quickest on one thread
    metric_definitions=[{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
    sagemaker_session=session,
)
estimator.fit({"training": training})

predictor = estimator.deploy(1, "ml.m5.large", entry_point="inference.py", source_dir=scripts)
found = np.array(predictor.predict(rows[:, :2].astype(np.float32)))
accuracy = float(np.mean((found > 0.5) == rows[:, 2]))
assert accuracy > 0.95, accuracy
predictor.delete_model()
predictor.delete_endpoint()
print("RESULT " + json.dumps({"accuracy": accuracy}))
