"""Where a script comes from: a git repository (SDK 2), a source folder with its drivers (SDK 3's ``ModelTrainer``)."""

from __future__ import annotations

import io
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from example_runs import by, result, run

from cloche.compute.local.sandbox import bubblewrap

REPOSITORY = "https://git.example.com/team/scripts.git"

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(900)]

TRAIN = """
import argparse, json, os, pathlib, helper
words = argparse.ArgumentParser()
words.add_argument("--depth", type=int)
given, _ = words.parse_known_args()
model = pathlib.Path(os.environ["SM_MODEL_DIR"], "model.json")
model.write_text(json.dumps({"depth": given.depth, "word": helper.WORD}))
print("trained with", helper.WORD)
"""
SERVE = """
import json, pathlib

def model_fn(folder):
    return json.loads(pathlib.Path(folder, "model.json").read_text())

def predict_fn(rows, model):
    return [model["depth"] * len(rows)]
"""
PROCESS = "import pathlib, helper; pathlib.Path('/opt/ml/processing/output/said.txt').write_text(helper.WORD)"
SDK2 = """
import json, time
import boto3, numpy, sagemaker
from sagemaker.processing import FrameworkProcessor, ProcessingOutput
from sagemaker.sklearn import SKLearn, SKLearnModel

session, git = sagemaker.Session(), {"repo": REPOSITORY}
role = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"
settings = {"role": role, "instance_type": "ml.m5.large", "instance_count": 1, "sagemaker_session": session}
estimator = SKLearn(
    "train.py", source_dir="code", framework_version="1.2-1", hyperparameters={"depth": 7},
    git_config={**git, "branch": "work", "commit": COMMIT}, **settings,
)
estimator.fit(logs=False)
processor = FrameworkProcessor(SKLearn, "1.2-1", base_job_name="from-git", **settings)
processor.run("process.py", source_dir="code", git_config={**git, "branch": "work"}, logs=False,
              outputs=[ProcessingOutput("/opt/ml/processing/output", output_name="out")])
said = processor.latest_job.outputs[0].destination
model = SKLearnModel(
    estimator.model_data, role, "serve.py", framework_version="1.2-1",
    git_config={**git, "branch": "work"}, source_dir="code", sagemaker_session=session,
)
predictor = model.deploy(1, "ml.m5.large", wait=False)
boto3.client("sagemaker").get_waiter("endpoint_in_service").wait(
    EndpointName=predictor.endpoint_name, WaiterConfig={"Delay": 1}
)
answer = predictor.predict(numpy.zeros((3, 2))).tolist()
predictor.delete_endpoint()
refused = {}
for name, config in {"branch": {**git, "branch": "none"}, "file": {"repo": "file:///srv/x"}}.items():
    try:
        SKLearn("train.py", source_dir="code", framework_version="1.2-1", git_config=config, **settings).fit()
    except Exception as error:
        refused[name] = type(error).__name__
print("RESULT " + json.dumps({
    "answer": answer,
    "said": sagemaker.s3.S3Downloader.read_file(f"{said}/said.txt", session),
    "refused": refused,
}))
"""
SDK3 = """
import json
import boto3
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.training.configs import Compute, SourceCode
from sagemaker.train import ModelTrainer

session = Session()
role = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"
image = image_uris.retrieve("sklearn", session.boto_region_name, "1.2-1")
found = {}

def train(name, **source):
    trainer = ModelTrainer(
        training_image=image, role=role, sagemaker_session=session, base_job_name=name,
        source_code=SourceCode(source_dir="code", **source), hyperparameters={"depth": 3, "names": ["a", "b"]},
        compute=Compute(instance_type="ml.m5.large", instance_count=1),
    )
    try:
        trainer.train(wait=True, logs=False)
    except Exception as error:
        print("failed:", error)
    named = trainer._latest_training_job.training_job_name
    job = boto3.client("sagemaker").describe_training_job(TrainingJobName=named)
    found[name] = [job["TrainingJobStatus"], job.get("FailureReason", "")]
    group = {"logGroupName": "/aws/sagemaker/TrainingJobs"}
    for event in boto3.client("logs").filter_log_events(**group, logStreamNamePrefix=named)["events"]:
        print(event["message"])

train("by-script", entry_script="train3.py", requirements="requirements.txt")
train("by-command", command="python train3.py --depth 4 && test -d /opt/ml/input/data/code")
train("fails", entry_script="fails.py")
print("RESULT " + json.dumps(found))
"""
TRAIN3 = """
import json, os, sys
assert os.environ["SM_CURRENT_HOST"] == "algo-1" and os.environ["SM_HOST_COUNT"] == "1"
if "SM_HPS" in os.environ:
    print("hyperparameters", json.loads(os.environ["SM_HPS"])["names"])
try:
    import tiny
    print("with", tiny.WORD)
except ImportError:
    print("without tiny")
print("told", sys.argv[1:])
"""


def test_scripts_from_a_git_repository(server: Any, tmp_path: Path) -> None:
    """An estimator at a commit, a processor and a model at a branch. The SDK takes https and ssh addresses alone, so
    git is told that one of these leads to a folder."""
    repository = tmp_path / "scripts"
    commit = _repository(repository)
    leads = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{repository}.insteadOf",
        "GIT_CONFIG_VALUE_0": REPOSITORY,
    }
    script = f"REPOSITORY, COMMIT = {REPOSITORY!r}, {commit!r}\n{SDK2}"
    found = result(run(server, by("sagemaker2", "-c", script), tmp_path, **leads))
    assert found == {
        "answer": [21],
        "said": "later",
        "refused": {"branch": "CalledProcessError", "file": "ValueError"},
    }


@pytest.mark.skipif(bubblewrap() is None, reason="no bubblewrap here: THE DRIVERS' /opt/ml IS NOT THERE")
def test_the_source_code_protocol_of_sdk_v3(server: Any, tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "train3.py").write_text(TRAIN3)
    (code / "fails.py").write_text("raise RuntimeError('on purpose')")
    (code / "requirements.txt").write_text("./tiny-1.0-py3-none-any.whl\n")
    (code / "tiny-1.0-py3-none-any.whl").write_bytes(_wheel({"tiny.py": "WORD = 'a wheel'"}))
    output = run(server, by("sagemaker3", "-c", SDK3), tmp_path)
    found = result(output)
    assert found["by-script"] == ["Completed", ""], output[-6000:]
    assert found["by-command"] == ["Completed", ""], output[-6000:]
    status, reason = found["fails"]
    assert status == "Failed" and "'fails.py'" in reason and "exit code: 1" in reason, "what the driver wrote"
    assert "RuntimeError: on purpose" in output
    assert "hyperparameters ['a', 'b']" in output and "with a wheel" in output and "without tiny" in output
    assert "told ['--depth', '3'" in output and "told ['--depth', '4']" in output


def _repository(folder: Path) -> str:
    """``master`` is empty; ``work`` has what is asked for, and one commit more than the one that is answered."""

    def git(*words: str) -> str:
        who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false")
        return subprocess.run(
            ["git", "-C", str(folder), *who, *words], check=True, capture_output=True, text=True
        ).stdout

    folder.mkdir()
    git("init", "--quiet", "--initial-branch=master")
    git("commit", "--quiet", "--allow-empty", "--message", "Nothing yet")
    git("checkout", "--quiet", "-b", "work")
    (folder / "code").mkdir()
    files: Mapping[str, str] = {
        "train.py": TRAIN,
        "serve.py": SERVE,
        "process.py": PROCESS,
        "helper.py": "WORD = 'first'",
    }
    for name, text in files.items():
        (folder / "code" / name).write_text(text)
    git("add", ".")
    git("commit", "--quiet", "--message", "Scripts")
    commit = git("rev-parse", "HEAD").strip()
    (folder / "code" / "helper.py").write_text("WORD = 'later'")
    git("commit", "--quiet", "--all", "--message", "Another word")
    return commit


def _wheel(files: Mapping[str, str]) -> bytes:
    content = io.BytesIO()
    about = {
        "METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in {**files, **{f"tiny-1.0.dist-info/{name}": text for name, text in about.items()}}.items():
            archive.writestr(name, text)
    return content.getvalue()
