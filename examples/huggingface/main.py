"""Hugging Face with SageMaker's Python SDK 2: a small model trained from nothing, then served without any code.

main.py     transformers and torch run in the jobs alone
"""

import json
from pathlib import Path

import sagemaker
from sagemaker.huggingface import HuggingFace, HuggingFaceModel

session = sagemaker.Session()
bucket = session.default_bucket()
role = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"
versions = {"transformers_version": "4.48.0", "pytorch_version": "2.3.0", "py_version": "py311"}

things = ("film", "book", "meal", "walk", "day")
remarks = [f"1,what a {word} {thing}" for word in ("lovely", "great", "good", "kind") for thing in things]
remarks += [f"0,what a {word} {thing}" for word in ("dreadful", "bad", "poor", "dull") for thing in things]
training = session.upload_string_as_file_body("\n".join(remarks), bucket, "remarks/remarks.csv")

estimator = HuggingFace(
    entry_point="train.py",
    source_dir=str(Path(__file__).parent / "script"),
    role=role,
    instance_count=1,
    instance_type="ml.g5.xlarge",  # AWS has this image for GPUs alone; none is needed
    hyperparameters={"epochs": 20},
    environment={"OMP_NUM_THREADS": "1"},  # so small a model is quickest on one thread
    metric_definitions=[{"Name": "loss", "Regex": "'loss': ([0-9.]+)"}],
    sagemaker_session=session,
    **versions,
)
estimator.fit({"train": training})

model = HuggingFaceModel(model_data=estimator.model_data, role=role, sagemaker_session=session, **versions)
predictor = model.deploy(1, "ml.m5.large")
found = predictor.predict({"inputs": ["what a great day", "what a dull book"], "parameters": {"top_k": 1}})
labels = [answer["label"] for (answer,) in found]
assert labels == ["friendly", "cross"], found
try:
    predictor.predict({"no inputs": "at all"})
except session.sagemaker_runtime_client.exceptions.ModelError as error:
    print("refused:", str(error)[:80])
predictor.delete_model()
predictor.delete_endpoint()
print("RESULT " + json.dumps({"labels": labels}))
