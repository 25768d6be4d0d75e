"""A batch transform job by both SageMaker SDKs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from environments import client_python
from example_runs import EXAMPLES, run

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(600)]


def test_batch_transform(server: object, data: Path, tmp_path: Path) -> None:
    script = [str(client_python("sagemaker2")), "-W", "ignore", str(EXAMPLES / "batch_transform/main.py")]
    output = run(server, [*script, str(data)], tmp_path)
    found: dict[str, Any] = json.loads(output.rpartition("RESULT ")[2].splitlines()[0])
    assert found["accuracy"] > 0.85
    assert found["first"][0] == "patient-0"
    assert "MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD" in output, "the data log is shown"
    script = [str(client_python("sagemaker3")), "-W", "ignore", str(EXAMPLES / "batch_transform/sdk3.py")]
    output = run(server, [*script, found["model"]], tmp_path)
    assert json.loads(output.rpartition("RESULT ")[2].splitlines()[0])["status"] == "Completed"
