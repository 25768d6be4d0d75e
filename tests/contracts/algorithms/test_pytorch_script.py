"""PyTorch script mode: a script trains, what it leaves is served with every default and with functions of its own."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cloche_jobs.contract import Layout, package_folder

from .conftest import Serve, Train

TRAINING, INFERENCE = "pytorch-training:2.8.0", "pytorch-inference:2.6.0"
SCRIPT = """
import argparse, os
import torch

class Sums(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
    def forward(self, rows):
        return self.layer(rows)

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int)
    given = parser.parse_args()
    torch.manual_seed(0)
    rows = torch.rand(64, 2)
    wanted = rows @ torch.tensor([[2.0], [3.0]]) + 1.0
    model = Sums()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for epoch in range(given.epochs):
        loss = torch.nn.functional.mse_loss(model(rows), wanted)
        optimizer.zero_grad(); loss.backward(); optimizer.step()
    print(f"loss={loss.item():.6f} in {os.environ['MASTER_ADDR']} gpus={os.environ['SM_NUM_GPUS']}")
    torch.jit.script(model).save(os.path.join(os.environ["SM_MODEL_DIR"], "sums.pt"))
    torch.save(model.state_dict(), os.path.join(os.environ["SM_OUTPUT_DATA_DIR"], "state.bin"))
"""
HOOKS = """
import json, os
import torch
def pre_model_fn(model_dir): os.environ["BEFORE"] = model_dir
def model_fn(model_dir, context): return {"dir": os.path.basename(os.environ["BEFORE"]), "warm": False}
def model_warmup_fn(model_dir, model): model["warm"] = True
def input_fn(body, content_type): return torch.tensor(json.loads(body))
def predict_fn(data, model): return {"sum": data.sum().item(), **model}
def output_fn(prediction, accept): return json.dumps(prediction), accept
"""


def bundle(layout: Layout, name: str, text: str) -> None:
    with tarfile.open(layout.bundle, "w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(text.encode())
        tar.addfile(info, io.BytesIO(text.encode()))


def test_trains_and_serves_with_defaults(train: Train, served: Serve, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "ml").make()
    bundle(layout, "train.py", SCRIPT)
    hyperparameters = {
        "sagemaker_program": '"train.py"',
        "sagemaker_submit_directory": '"s3://bucket/sourcedir.tar.gz"',
        "epochs": "200",
    }
    ended = train(hyperparameters, {}, image=TRAINING)
    assert ended.exit_code == 0, ended.log
    assert ended.output.startswith("loss=0.00") and ended.output.endswith("in algo-1 gpus=0\n")
    assert "pytorch-training:2.8.0 runs on torch 2.13.0 (CPU): 2.13 stands in for 2.8" in ended.log
    with served(layout, INFERENCE) as server:
        status, content_type, body = server.ask(b"[[1, 1], [0, 0]]", "application/json", "application/json")
        assert (status, content_type) == (200, "application/json")
        answers = json.loads(body)
        assert [row[0] for row in answers] == pytest.approx([6.0, 1.0], abs=0.2)
        assert json.loads(server.ask(b"1,1\n0,0", "text/csv", "application/json")[2]) == answers
        lines = server.ask(b"1,1\n0,0", "text/csv", "text/csv")[2].split()
        assert [float(line) for line in lines] == [row[0] for row in answers]
        npy = server.ask(b"[[1, 1]]", "application/json", "image/png, application/x-npy")[2]
        assert npy.startswith(b"\x93NUMPY")
        for bad in (("image/png", "application/json"), ("application/json", "image/png")):
            status, _, body = server.ask(b"[[1, 1]]", *bad)
            assert status == 500 and body.startswith(b"Content type image/png is not supported by this framework.")
        assert server.ask(b"[[1, 1, 1]]", "application/json", "application/json")[0] == 500
        assert server.ask(b"[[1, 1]", "application/json", "application/json")[0] == 500


def test_the_users_functions_are_called(served: Serve, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "ml").make()
    (layout.model / "code").mkdir()
    (layout.model / "code" / "inference.py").write_text(HOOKS)
    with served(layout, INFERENCE) as server:
        status, _, body = server.ask(b"[1, 2, 3.5]", "application/json", "application/json")
    assert (status, json.loads(body)) == (200, {"sum": 6.5, "dir": "model", "warm": True})


LOADING = """
import sys, pathlib, torch
from cloche_jobs.frameworks.pytorch.serve import default_model_fn
folder = pathlib.Path(sys.argv[1])
def said():
    try:
        return type(default_model_fn(str(folder))).__name__
    except Exception as error:
        return f"{type(error).__name__}: {error}"
print(said())
torch.save({"a": 1}, folder / "state.pth")
print(said())
torch.jit.script(torch.nn.Linear(1, 1)).save(str(folder / "other.pt"))
print(said())
(folder / "other.pt").rename(folder / "model.pt")
print(said())
"""


def test_which_file_is_loaded_by_default(python_of: Callable[[str], Path], tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(package_folder().parent), "PYTHONWARNINGS": "ignore"}
    command = [python_of(INFERENCE), "-c", LOADING, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines() == [
        "ValueError: Exactly one .pth or .pt file is required for PyTorch models: []",
        f"ModelLoadError: Failed to load {tmp_path}/state.pth. Please ensure model is saved using torchscript.",
        "ValueError: Exactly one .pth or .pt file is required for PyTorch models: ['other.pt', 'state.pth']",
        "RecursiveScriptModule",
    ]
