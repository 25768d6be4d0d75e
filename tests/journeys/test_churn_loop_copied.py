"""The example as a team would take it: its folders in another place, its own tests run there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from example_runs import EXAMPLES, by, run

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(300)]


def test_it_stands_on_its_own_elsewhere(server: object, tmp_path: Path) -> None:
    for folder in ("churn", "churn_loop"):
        shutil.copytree(EXAMPLES / folder, tmp_path / folder)
    line = by("sagemaker2", "-m", "unittest", "discover")
    told = run(server, [*line, "--start-directory", str(tmp_path / "churn_loop/tests")], tmp_path)
    assert "Ran 8 tests" in told and told.rstrip().endswith("OK"), told
    told = run(server, by("sagemaker2", str(tmp_path / "churn_loop/main.py"), "--help"), tmp_path)
    assert "the day on which the world begins to change" in told
