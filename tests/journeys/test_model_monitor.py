"""SageMaker's SDKs monitor a model as their users write it: the example, on a server whose clock is turned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from example_runs import CLOCHE, EXAMPLES, by, impatient, result, run

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def turning(start_server: Callable[..., Any], tmp_path: Path) -> tuple[Any, str]:
    """A server of its own, and a command that is ``cloche`` for it."""
    server = start_server()
    script = tmp_path / "cloche-here"
    script.write_text(f'#!/bin/sh\nexec {CLOCHE} "$@" --data {server.data}\n')
    script.chmod(0o755)
    return server, str(script)


def test_sagemaker_sdk_v2_monitors(turning: tuple[Any, str], data: Path, tmp_path: Path) -> None:
    server, cloche = turning
    line = impatient("sagemaker2", EXAMPLES / "model_monitor/main.py", str(data), cloche)
    answers = result(run(server, line, tmp_path))
    assert answers["executions"] == 2 and answers["violations"] >= 2 and answers["quality"] >= 5


def test_sagemaker_sdk_v3_monitors(server: object, tmp_path: Path) -> None:
    line = by("sagemaker3", str(EXAMPLES / "model_monitor/sdk3.py"))
    assert result(run(server, line, tmp_path))["violations"] == 2
