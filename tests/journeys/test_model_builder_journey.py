"""SDK 3's ``ModelBuilder``: an image, a model's data and a folder of code become an endpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_runs import impatient, result, run

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(600)]

BUILD = """
import json, tarfile
from pathlib import Path
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.training.configs import SourceCode
from sagemaker.serve.model_builder import ModelBuilder

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
session = Session()
Path("factor.json").write_text("3")
with tarfile.open("model.tar.gz", "w:gz") as archive:
    archive.add("factor.json")
builder = ModelBuilder(
    image_uri=IMAGE,
    s3_model_data_url=session.upload_data("model.tar.gz", key_prefix="builder"),
    source_code=SourceCode(source_dir="code", entry_script="inference.py"),
    role_arn=f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole",
    sagemaker_session=session,
    instance_type="ml.m5.large",
)
model = builder.build(model_name="built")
endpoint = builder.deploy(endpoint_name="built", initial_instance_count=1, instance_type="ml.m5.large")
answer = endpoint.invoke(body="[1, 2]", content_type="application/json", accept="application/json")
told = {"model": model.model_name, "answer": json.loads(answer.body.read()), "type": answer.content_type}
endpoint.delete()
print("RESULT " + json.dumps(told))
"""
CODE = """
import json

def model_fn(model_dir):
    return json.load(open(model_dir + "/factor.json"))

def predict_fn(data, model):
    return (data * model).ravel()
"""


def test_a_model_is_built_deployed_and_asked(server: object, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code/inference.py").write_text(CODE)
    (tmp_path / "build.py").write_text(BUILD)
    told = result(run(server, impatient("sagemaker3", tmp_path / "build.py"), tmp_path))
    assert told == {"model": "built", "answer": [3.0, 6.0], "type": "application/json"}
