"""PyTorch and TensorFlow on several hosts, and XGBoost there, by the SageMaker SDK v2."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from example_runs import EXAMPLES, impatient, result, run

from cloche.compute.local.sandbox import bubblewrap

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.skipif(bubblewrap() is None, reason="NOT TESTED: several instances need bubblewrap")
def test_several_instances_by_the_sdk_v2(server: object, data: Path, tmp_path: Path) -> None:
    script = impatient("sagemaker2", EXAMPLES / "several_instances/main.py")
    output = run(server, [*script, str(data)], tmp_path)
    losses = result(output)
    assert losses["loss_of_1"] < 0.3
    assert abs(losses["loss_of_2"] - losses["loss_of_1"]) < 0.1
    assert losses["loss_of_groups"] < 0.3
    assert "Distributed node training with 3 hosts: ['algo-1', 'algo-2', 'algo-3']" in output


@pytest.mark.skipif(bubblewrap() is None, reason="NOT TESTED: several instances need bubblewrap")
def test_pytorch_by_the_sdk_v2(server: object, tmp_path: Path) -> None:
    script = impatient("sagemaker2", EXAMPLES / "pytorch/main.py")
    output = run(server, script, tmp_path)
    assert result(output)["accuracy"] > 0.95
    assert "(host 0 of 2)" in output and "(host 1 of 2)" in output
    assert "pytorch-training:2.6.0 runs on torch 2.13.0 (CPU): 2.13 stands in for 2.6" in output


@pytest.mark.skipif(bubblewrap() is None, reason="NOT TESTED: several instances need bubblewrap")
def test_tensorflow_by_the_sdk_v2(server: object, tmp_path: Path) -> None:
    """Two hosts that find each other by ``TF_CONFIG`` and step together, and the endpoint of what they made."""
    output = run(server, impatient("sagemaker2", EXAMPLES / "tensorflow/main.py"), tmp_path)
    assert result(output)["accuracy"] > 0.95
    losses = [re.findall(rf"loss=([0-9.]+) \(host {host} of 2\)", output) for host in (0, 1)]
    assert losses[0] == losses[1] and len(losses[0]) == 10
    assert "tensorflow-training:2.16.2 runs on tensorflow 2.21.0 (CPU): 2.21 stands in for 2.16" in output
