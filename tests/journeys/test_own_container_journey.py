"""A container of one's own from its files to an answer: built without Docker, loaded, trained, served, sent a batch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from example_runs import CLOCHE, EXAMPLES, impatient, run

from server_process import ServerProcess

EXAMPLE = EXAMPLES / "byoc"

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(600)]


def said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=500).stdout


@pytest.fixture(scope="module")
def loaded(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> ServerProcess:
    """A server that runs, with the image loaded into its folder."""
    image, data = tmp_path_factory.mktemp("byoc") / "byoc.tar", str(server.data)
    said(sys.executable, str(EXAMPLE / "build.py"), str(image))
    assert said(CLOCHE, "images", "load", str(image), "--data", data).startswith("byoc-tree:latest\tsha256:")
    assert "byoc-tree:latest\ta container of your own\tloaded" in said(CLOCHE, "images", "list", "--data", data)
    return server


def test_with_boto3(loaded: ServerProcess, tmp_path: Path) -> None:
    lines = run(loaded, [sys.executable, str(EXAMPLE / "main.py")], tmp_path).splitlines()
    assert lines == [
        "trained: {'train:accuracy': 1.0}",
        "asked: ['inner', 'outer']",
        "batch: ['inner', 'outer', 'outer']",
        "taken down",
    ]
    images = said(CLOCHE, "images", "list", "--data", str(loaded.data))
    assert "byoc-tree:latest\ta container of your own\tunpacked" in images


def test_with_the_sdk(loaded: ServerProcess, tmp_path: Path) -> None:
    output = run(loaded, impatient("sagemaker2", EXAMPLE / "main_v2.py"), tmp_path)
    assert "train-accuracy=1.0000;" in output
    assert "asked: [['inner'], ['outer']]" in output
    assert "batch: ['inner', 'outer']" in output
    assert output.splitlines()[-1] == "taken down"
