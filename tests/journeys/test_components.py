"""Inference components and streams by the SageMaker Python SDK v2, unmodified, started by ``cloche run``."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_runs import impatient, run

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(600)]

PROGRAM = """
import tarfile
from pathlib import Path

import sagemaker
from sagemaker.compute_resource_requirements.resource_requirements import ResourceRequirements
from sagemaker.enums import EndpointType
from sagemaker.predictor import Predictor
from sagemaker.serializers import CSVSerializer
from sagemaker.sklearn import SKLearnModel

SCRIPT = '''
def model_fn(model_dir):
    return open(model_dir + "/word").read()

def transform_fn(model, body, content_type, accept):
    return (f"{model} {number};" for number in range(int(body))), "text/plain"
'''
Path("inference.py").write_text(SCRIPT)
session = sagemaker.Session()
role = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"
needs = ResourceRequirements(requests={"memory": 1024, "num_cpus": 1, "copies": 1})


def deployed(word):
    Path("word").write_text(word)
    with tarfile.open("model.tar.gz", "w:gz") as tar:
        tar.add("word")
    data = session.upload_data("model.tar.gz", key_prefix=f"components/{word}")
    model = SKLearnModel(
        data, role, "inference.py", "1.2-1", sagemaker_session=session, predictor_cls=Predictor
    )
    return model.deploy(
        1,
        "ml.m5.large",
        endpoint_name="shared-by-two",
        endpoint_type=EndpointType.INFERENCE_COMPONENT_BASED,
        inference_component_name=word,
        resources=needs,
        serializer=CSVSerializer(),
    )


for predictor in deployed("hello"), deployed("goodbye"):
    print("WHOLE", predictor.predict("2").decode())
client = session.sagemaker_runtime_client
answer = client.invoke_endpoint_with_response_stream(
    EndpointName="shared-by-two", InferenceComponentName="goodbye", Body="3", ContentType="text/csv"
)
print("PARTS", [event["PayloadPart"]["Bytes"] for event in answer["Body"]])
for word in "hello", "goodbye":
    session.delete_inference_component(word, wait=True)
session.delete_endpoint("shared-by-two")
"""


def test_two_models_share_an_endpoint(server: object, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    output = run(server, impatient("sagemaker2", program), tmp_path)
    assert "WHOLE hello 0;hello 1;" in output
    assert "WHOLE goodbye 0;goodbye 1;" in output
    assert "PARTS [b'goodbye 0;', b'goodbye 1;', b'goodbye 2;']" in output
