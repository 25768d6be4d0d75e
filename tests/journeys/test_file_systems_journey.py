"""Channels that are folders of file systems, by both SageMaker SDKs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from example_runs import EXAMPLES, impatient, result, run

from cloche.compute.local.sandbox import bubblewrap

pytestmark = [
    pytest.mark.journey,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bubblewrap() is None, reason="NOT TESTED: what is read-only needs bubblewrap"),
]


def test_file_systems_by_both_sdks(start_server: Callable[..., Any], tmp_path: Path) -> None:
    directory, work = tmp_path / "efs", tmp_path / "work"
    directory.mkdir()
    work.mkdir()
    server = start_server("--file-system", f"fs-0123456789abcdef0={directory}")
    answers, outputs = [], []
    for client, name in (("sagemaker2", "main.py"), ("sagemaker3", "sdk3.py")):
        outputs.append(run(server, impatient(client, EXAMPLES / "file_systems" / name, str(directory)), work))
        answers.append(result(outputs[-1]))
    assert "VpcConfig is kept and shown" in outputs[0]
    assert [answer["runs"] for answer in answers] == [1, 2]
    assert [round(answer["slope"], 6) for answer in answers] == [2, 3]
