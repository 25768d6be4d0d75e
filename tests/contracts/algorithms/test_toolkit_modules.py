"""What AWS's public scripts import of the toolkits in its images is there, and does it."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

from .conftest import Serve, Train

BUNDLE = {"sagemaker_program": '"script.py"', "sagemaker_submit_directory": '"s3://bucket/sourcedir.tar.gz"'}
SERVED = {"SAGEMAKER_PROGRAM": "script.py", "SAGEMAKER_SUBMIT_DIRECTORY": "s3://bucket/sourcedir.tar.gz"}
BOOSTING = """
import json, os
import xgboost
from sagemaker_containers import entry_point
from sagemaker_training import environment
from sagemaker_xgboost_container import distributed, encoder
from sagemaker_xgboost_container.data_utils import get_dmatrix

def boost(params, rows, folder, is_master):
    booster = xgboost.train(params, rows, 5)
    booster.save_model(os.path.join(folder, "xgboost-model"))
    print(json.dumps([is_master, rows.num_row(), rows.num_col()]))

def model_fn(folder):
    booster = xgboost.Booster()
    booster.load_model(os.path.join(folder, "xgboost-model"))
    return booster

def input_fn(body, content_type):
    return encoder.decode(body, content_type)

if __name__ == "__main__":
    job = environment.Environment()
    rows = get_dmatrix(job.channel_input_dirs["train"], "libsvm")
    assert get_dmatrix("no-such-folder", "libsvm") is None
    told = {"params": {"max_depth": job["hyperparameters"]["depth"]}, "rows": rows, "folder": job.model_dir}
    assert len(job.hosts) == 1 and distributed.rabit_run and entry_point._wait_hostname_resolution
    boost(**told, is_master=True)
"""
FEATURES = """
import json
from sagemaker_containers.beta.framework import content_types, encoders, env, modules, transformer, worker

def model_fn(folder):
    return None

def predict_fn(rows, model):
    return rows * 2

def output_fn(rows, accept):
    if accept == content_types.JSON:
        return worker.Response(json.dumps({"rows": rows.tolist()}), mimetype=accept)
    return worker.Response(encoders.encode(rows, accept), accept)
"""


def bundle(path: Path, script: str) -> None:
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo("script.py")
        info.size = len(script.encode())
        tar.addfile(info, io.BytesIO(script.encode()))


def test_xgboost_scripts_read_meet_and_decode(train: Train, served: Serve) -> None:
    layout = train({}, {}).layout
    layout.failure.unlink()
    bundle(layout.bundle, BOOSTING)
    ended = train({**BUNDLE, "depth": "2"}, {"train": {"rows": "1 0:2 2:3\n0 1:5\n1 0:1\n"}})
    assert ended.exit_code == 0, ended.log
    assert json.loads(ended.output.splitlines()[-1]) == [True, 3, 3]
    with served(ended.layout, request=SERVED) as server:
        status, _, body = server.ask(b"2,0,3")
    assert (status, len(body.split())) == (200, 1)


def test_scikit_learn_scripts_answer_with_responses(train: Train, served: Serve) -> None:
    image = "sagemaker-scikit-learn:1.2-1"
    layout = train({}, {}, image=image).layout
    bundle(layout.bundle, FEATURES)
    with served(layout, image, SERVED) as server:
        assert server.ask(b"1,2") == (200, "text/csv; charset=utf-8", b"2.0,4.0\n")
        status, content_type, body = server.ask(b"1,2", accept="application/json")
    assert (status, content_type, json.loads(body)) == (200, "application/json", {"rows": [[2.0, 4.0]]})
