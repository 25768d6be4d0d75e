"""A container of one's own from its files to an answer: built without Docker, loaded, trained, served, sent a batch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from environments import client_python

from server_process import ServerProcess

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "byoc"
CLOCHE = str(Path(sys.executable).with_name("cloche"))

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(600)]


def run(*command: str) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=500)
    assert done.returncode == 0, done.stdout[-8000:]
    return done.stdout


@pytest.fixture(scope="module")
def loaded(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Into the folder of a server that runs; the answer is where that is."""
    image, data = tmp_path_factory.mktemp("byoc") / "byoc.tar", str(server.data)
    run(sys.executable, str(EXAMPLE / "build.py"), str(image))
    assert run(CLOCHE, "images", "load", str(image), "--data", data).startswith("byoc-tree:latest\tsha256:")
    assert "byoc-tree:latest\ta container of your own\tloaded" in run(CLOCHE, "images", "list", "--data", data)
    return data


def test_with_boto3(loaded: str) -> None:
    said = run(CLOCHE, "run", "--data", loaded, "--", sys.executable, str(EXAMPLE / "main.py")).splitlines()
    assert said == [
        "trained: {'train:accuracy': 1.0}",
        "asked: ['inner', 'outer']",
        "batch: ['inner', 'outer', 'outer']",
        "taken down",
    ]
    assert "byoc-tree:latest\ta container of your own\tunpacked" in run(CLOCHE, "images", "list", "--data", loaded)


def test_with_the_sdk(loaded: str) -> None:
    script = [str(client_python("sagemaker2")), "-W", "ignore", str(EXAMPLE / "main_v2.py")]
    said = run(CLOCHE, "run", "--data", loaded, "--", *script)
    assert "train-accuracy=1.0000;" in said
    assert "asked: [['inner'], ['outer']]" in said
    assert "batch: ['inner', 'outer']" in said
    assert said.splitlines()[-1] == "taken down"
