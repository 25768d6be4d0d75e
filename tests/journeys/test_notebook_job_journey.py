"""Notebooks as steps of a pipeline, by SageMaker's SDK 2: one runs, one fails in a cell."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_runs import EXAMPLES, by, result, run

from cloche.compute.local.sandbox import bubblewrap

pytestmark = [
    pytest.mark.journey,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bubblewrap() is None, reason="no bubblewrap here: NOTEBOOK JOBS ARE NOT TESTED"),
]


def test_a_notebook_runs_and_another_fails(server: object, tmp_path: Path) -> None:
    script = by("sagemaker2", str(EXAMPLES / "notebook_job/main.py"))
    output = run(server, script, tmp_path)
    found = result(output)
    assert found["Few"] == {
        "status": "Succeeded",
        "said": ["[0, 1, 4, 9] metres\n"],
        "reason": "",
        "files": ["Few.ipynb", "sagemaker_job_execution.log", "squares.ipynb"],
    }
    assert (found["Many"]["status"], found["Many"]["said"]) == ("Failed", [])
    assert found["Many"]["reason"].startswith("ClientError: AlgorithmError: [SM-111] Error with executing notebook")
