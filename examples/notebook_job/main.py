"""A notebook as a step of a pipeline (``NotebookJobStep`` of SageMaker's Python SDK v2), and one whose cell fails.

What a job ran is among its outputs: the notebook with what its cells printed, as it was given, and the log.
"""

import io
import json
import tarfile
import tempfile
from pathlib import Path

import boto3
import sagemaker
from sagemaker.workflow.notebook_job_step import NotebookJobStep
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession

IMAGE = "885854791233.dkr.ecr.us-east-1.amazonaws.com/sagemaker-distribution-prod:2-cpu"
HERE = Path(__file__).parent


def step(name: str, rows: int, script: Path) -> NotebookJobStep:
    return NotebookJobStep(
        name=name,
        notebook_job_name=name,
        input_notebook=str(HERE / "squares.ipynb"),
        initialization_script=str(script),
        parameters={"rows": str(rows)},
        kernel_name="python3",
        image_uri=IMAGE,
        instance_type="ml.m5.large",
        role=role,
    )


def outputs(job: dict) -> dict:
    """What the job left in ``output.tar.gz``, by name."""
    bucket, _, prefix = job["OutputDataConfig"]["S3OutputPath"].removeprefix("s3://").partition("/")
    key = f"{prefix}/{job['TrainingJobName']}/output/output.tar.gz"
    packed = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        return {name: archive.extractfile(name).read().decode() for name in archive.getnames()}


session = PipelineSession()
role = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"
with tempfile.TemporaryDirectory() as folder:
    script = Path(folder) / "init.sh"
    script.write_text("export UNIT=metres\n")
    steps = [step("Few", 4, script), step("Many", 40, script)]
    pipeline = Pipeline("notebooks", steps=steps, sagemaker_session=session)
    pipeline.upsert(role)
execution = pipeline.start()
try:
    execution.wait(delay=1, max_attempts=300)
except Exception as error:
    print(f"as it must: {error}")
found = {}
client = sagemaker.Session().sagemaker_client
for each in execution.list_steps():
    name = each["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    files = outputs(client.describe_training_job(TrainingJobName=name))
    cells = json.loads(files[f"{each['StepName']}.ipynb"])["cells"]
    said = ["".join(output["text"]) for cell in cells for output in cell.get("outputs", ()) if "text" in output]
    reason = each.get("FailureReason", "")
    found[each["StepName"]] = {"status": each["StepStatus"], "said": said, "reason": reason, "files": sorted(files)}
print("RESULT " + json.dumps(found))
