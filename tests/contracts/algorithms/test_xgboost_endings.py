"""Training that is stopped, goes on from a checkpoint, or is the user's own script; serving by the user's script."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cloche_jobs.contract import Layout, command, package_folder
from cloche_jobs.contract.environment import training_environment

from .conftest import Serve, Train

BINARY = {"objective": "binary:logistic", "num_round": "6", "max_depth": "2"}
IMAGE = "sagemaker-xgboost:1.7-1"


@pytest.mark.parametrize("saves", ["true", "false"])
def test_term_keeps_the_model_so_far_when_asked(
    saves: str, train: Train, breast_cancer: dict[str, str], python_of: Callable[[str], Path]
) -> None:
    layout = train({**BINARY, "num_round": "0"}, {"train": {"d.csv": breast_cancer["train"]}}).layout
    layout.failure.unlink()
    endless = {**BINARY, "num_round": "1000000", "save_model_on_termination": saves}
    (layout.hyperparameters).write_text(str(endless).replace("'", '"'))
    environment = training_environment(
        image=IMAGE,
        python=python_of(IMAGE),
        package_root=package_folder().parent,
        job_name="job",
        job_arn="arn",
        region="us-east-1",
        ml_root=layout.root,
    )
    with subprocess.Popen(
        command(python_of(IMAGE), "train"), env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("[5]"):
                os.killpg(process.pid, signal.SIGTERM)
                break
        process.stdout.read()
        code = process.wait(30)
    model = layout.model / "xgboost-model"
    assert (code, model.exists()) == ((0, True) if saves == "true" else (-signal.SIGTERM, False))
    assert not layout.failure.exists()


def test_checkpoints_are_kept_and_gone_on_from(train: Train, breast_cancer: dict[str, str], tmp_path: Path) -> None:
    channels = {"train": {"d.csv": breast_cancer["train"]}}
    whole = train({**BINARY, "num_round": "12"}, channels, folder="whole")
    Layout(tmp_path / "parts").checkpoints.mkdir(parents=True)
    first = train(BINARY, channels, folder="parts")
    kept = sorted(path.name for path in first.layout.checkpoints.iterdir())
    assert kept == [f"xgboost-checkpoint.{number}" for number in range(1, 6)]
    second = train({**BINARY, "num_round": "12"}, channels, folder="parts")
    assert "Resuming from iteration 6" in second.log
    assert second.output.startswith("[6]\t")
    assert first.column("train-logloss") + second.column("train-logloss") == whole.column("train-logloss")


def test_a_script_in_the_built_in_image_trains_and_serves(
    train: Train, served: Serve, breast_cancer: dict[str, str]
) -> None:
    script = """
import os, sys
import xgboost
def model_fn(model_dir):
    booster = xgboost.Booster()
    booster.load_model(os.path.join(model_dir, "mine.json"))
    return booster
if __name__ == "__main__":
    import pandas
    data = pandas.read_csv(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "d.csv"), header=None)
    matrix = xgboost.DMatrix(data.iloc[:, 1:].to_numpy(), label=data[0])
    booster = xgboost.train({"objective": "binary:logistic"}, matrix, int(sys.argv[sys.argv.index("--rounds") + 1]))
    booster.save_model(os.path.join(os.environ["SM_MODEL_DIR"], "mine.json"))
"""
    layout = train({}, {}).layout
    layout.failure.unlink()
    (layout.code / "own.py").write_text(script)
    ended = train({"sagemaker_program": "own.py", "rounds": "4"}, {"train": {"d.csv": breast_cancer["train"]}})
    assert ended.exit_code == 0, ended.log
    rows = "\n".join(line.split(",", 1)[1] for line in breast_cancer["test"].split()).encode()
    with served(ended.layout, IMAGE, {"SAGEMAKER_PROGRAM": "own.py"}) as server:
        status, _, body = server.ask(rows)
        assert server.ask(b"x", "image/png")[0] == 415
    assert status == 200
    assert len(body.split()) == len(rows.split())
    assert all(0 < float(value) < 1 for value in body.split())
