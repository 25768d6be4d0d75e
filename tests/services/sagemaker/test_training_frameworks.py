"""Scripts of deep-learning frameworks on several instances: together they train the model that one trains alone."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from framework_jobs import PYTORCH, completed, said, trained
from training_requests import BUCKET, Bench, channel

from cloche.compute.local.sandbox import bubblewrap

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bubblewrap() is None, reason="NOT TESTED: several instances need bubblewrap"),
]
SUMS = """
import json, os
import torch
import torch.distributed as together
from torch.nn.parallel import DistributedDataParallel

hosts = json.loads(os.environ["SM_HOSTS"])
if "RANK" not in os.environ:
    os.environ["RANK"] = str(hosts.index(os.environ["SM_CURRENT_HOST"]))
    os.environ["WORLD_SIZE"] = str(len(hosts))
together.init_process_group("gloo")
rank, size = together.get_rank(), together.get_world_size()
torch.manual_seed(3)
rows = torch.rand(64, 3)
wanted = rows @ torch.tensor([[1.0], [2.0], [3.0]])
layer = torch.nn.Linear(3, 1)
model = DistributedDataParallel(layer)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(50):
    optimizer.zero_grad()
    torch.nn.functional.mse_loss(model(rows[rank::size]), wanted[rank::size]).backward()
    optimizer.step()
print(f"rank {rank} of {size} on {os.environ['SM_CURRENT_HOST']}")
if rank == 0:
    with open(os.environ["SM_MODEL_DIR"] + "/weights.json", "w") as file:
        json.dump(layer.weight.tolist()[0] + layer.bias.tolist(), file)
together.destroy_process_group()
"""


@pytest.fixture(scope="module")
def bench(server: Any) -> Bench:
    return Bench(server)


def test_pytorch_together_trains_what_it_trains_alone(bench: Bench) -> None:
    launched = {"sagemaker_torch_distributed_enabled": True, "sagemaker_instance_type": "ml.m5.large"}
    trained(bench, "torch-alone", PYTORCH, SUMS, 1, {})
    trained(bench, "torch-launched", PYTORCH, SUMS, 2, launched)
    trained(bench, "torch-together", PYTORCH, SUMS, 2, {}, EnableNetworkIsolation=True)
    alone = json.loads(completed(bench, "torch-alone")["weights.json"])
    assert alone != pytest.approx([1, 2, 3, 0], abs=1e-3)  # it has not converged: how it got there shows
    for name in ("torch-launched", "torch-together"):
        assert json.loads(completed(bench, name)["weights.json"]) == pytest.approx(alone, rel=1e-5)
        lines = said(bench, name)
        assert "rank 0 of 2 on algo-1" in lines and "rank 1 of 2 on algo-2" in lines
    assert "-m torch.distributed.run --nnodes 2 --nproc_per_node 1 --master_addr algo-1" in said(
        bench, "torch-launched"
    )


def test_torchrun_sees_what_the_job_has_installed(bench: Bench) -> None:
    """SDK 3's drivers install requirements first; ``torchrun`` of the image's own environment would not see them."""
    with zipfile.ZipFile(wheel := io.BytesIO(), "w") as archive:
        archive.writestr("greeting.py", "import os\nWORDS = 'hello ' + os.environ['WORLD_SIZE']\n")
        info = "greeting-1.0.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    bench.s3.put_object(Bucket=BUCKET, Key="run/greeting-1.0-py3-none-any.whl", Body=wheel.getvalue())
    bench.s3.put_object(Bucket=BUCKET, Key="run/greet.py", Body=b"import greeting\nprint(greeting.WORDS)\n")
    commands = "set -e; cd /opt/ml/input/data/run; pip install --no-index ./*.whl; torchrun --nproc_per_node=1 greet.py"
    image = {"TrainingImage": PYTORCH, "TrainingInputMode": "File", "ContainerEntrypoint": ["bash", "-c", commands]}
    bench.create(
        "torchrun-installs",
        AlgorithmSpecification=image,
        HyperParameters={},
        InputDataConfig=[channel("run", "run/")],
    )
    job = bench.ended("torchrun-installs", 550)
    assert job["TrainingJobStatus"] == "Completed", said(bench, "torchrun-installs")
    assert "hello 1" in said(bench, "torchrun-installs")


@pytest.mark.parametrize("setting", ["sagemaker_distributed_dataparallel_enabled", "sagemaker_pytorch_ddp_enabled"])
def test_aws_own_launchers_are_refused_by_name(bench: Bench, setting: str) -> None:
    name = f"torch-{setting.split('_')[1]}"
    trained(bench, name, PYTORCH, SUMS, 1, {setting: True})
    job = bench.ended(name)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith(f"ClientError: {setting}: ")
