"""The analysis library, used where it is used: in the environments of framework images, by their interpreters."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloche.compute.images import EnvironmentBuilder
from cloche_jobs.contract import package_folder

# One interpreter answers all of a module's questions: importing scikit-learn takes longer than most of them.
_DESK = """
import json, sys, traceback, warnings
warnings.simplefilter("error", RuntimeWarning)
from cloche_jobs.analysis.quality.report import plain
for line in sys.stdin:
    names = {}
    try:
        exec(json.loads(line), names)
        said = {"result": plain(names.get("result"))}
    except Exception as error:
        said = {"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
    print(json.dumps(said), flush=True)
"""

Ask = Callable[[str], Any]


class Refused(Exception):
    """The code raised; the message is the exception's."""


@pytest.fixture(scope="module", params=["sklearn-1.2", "xgboost-3.0"])
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    """``ask(code)``: what the code left in ``result``, as JSON has it. Raises ``Refused``."""
    python: Path = EnvironmentBuilder().ensure(request.param).python
    desk = subprocess.Popen(
        [str(python), "-P", "-c", _DESK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(package_folder().parent), "PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1"},
    )
    assert desk.stdin is not None and desk.stdout is not None

    def answer(code: str) -> Any:
        print(json.dumps(code), file=desk.stdin, flush=True)
        said = json.loads(desk.stdout.readline())
        if "error" in said:
            raise Refused(said["error"]) from RuntimeError(said["trace"])
        return said["result"]

    yield answer
    desk.communicate(timeout=30)
