"""The analyzer as its image runs it: the image's program, in its environment, below a folder of the test."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloche.compute.images import EnvironmentBuilder
from cloche_jobs import catalog
from cloche_jobs.contract import Layout, package_folder

SHARED = Path(__file__).resolve().parents[4] / "shared"
CASES = SHARED / "reference" / "cases"
CHURN = SHARED / "data" / "churn-telco"

# One interpreter runs many jobs, one after the other: importing Arrow takes longer than most of them.
_DESK = """
import json, os, sys
from cloche_jobs.monitor import main
for line in sys.stdin:
    environment, code = json.loads(line)
    os.environ.clear()
    os.environ.update(environment)
    names = {}
    if code is not None:
        exec(code, names)
    said = names.get("result") if code is not None else main.main()
    print(json.dumps(said), flush=True)
"""


@dataclass(frozen=True)
class Ended:
    code: int
    message: str
    output: Path

    def document(self, name: str) -> Any:
        return json.loads((self.output / name).read_text())

    @property
    def violations(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self.document("constraint_violations.json")["violations"]
        return found

    @property
    def metrics(self) -> list[dict[str, Any]]:
        file = self.output.parents[1] / "output/metrics/cloudwatch/cloudwatch_metrics.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def feature(self, name: str, document: str = "statistics.json") -> Any:
        return next(each for each in self.document(document)["features"] if each["name"] == name)


class Desk:
    def __init__(self, python: Path) -> None:
        self._process = subprocess.Popen(
            [str(python), "-P", "-W", "error", "-c", _DESK],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self._environment(),
        )

    @staticmethod
    def _environment() -> dict[str, str]:
        kept = {"PATH": os.environ["PATH"], "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"}
        return {**kept, "PYTHONPATH": str(package_folder().parent)}

    def ask(self, environment: Mapping[str, str], code: str | None = None) -> Any:
        """The exit code of a job, or what ``code`` left in ``result``."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps([{**self._environment(), **environment}, code]), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate(timeout=30)


@pytest.fixture(scope="session")
def desk() -> Iterator[Desk]:
    desk = Desk(EnvironmentBuilder().ensure(catalog.MONITOR_ENVIRONMENT, print).python)
    yield desk
    desk.close()


Analyze = Callable[..., Ended]


@pytest.fixture
def analyze(desk: Desk, tmp_path: Path) -> Analyze:
    """``analyze({"a.csv": text}, format={"csv": {"header": True}})``; further words are variables of the environment.
    ``constraints`` and ``statistics`` are documents of a baseline, ``scripts`` files that the variables name."""
    number = 0

    def run(
        files: Mapping[str, str | bytes],
        *,
        format: Mapping[str, Any],
        constraints: Any = None,
        statistics: Any = None,
        scripts: Mapping[str, str] | None = None,
        truths: Mapping[str, str] | None = None,
        image: str = catalog.ANALYZER,
        **variables: str,
    ) -> Ended:
        nonlocal number
        number += 1
        layout = Layout(tmp_path / f"ml{number}").make()
        source = layout.root / "processing/input/data"
        _put(source, files)
        given = {
            "dataset_source": "/opt/ml/processing/input/data",
            "output_path": "/opt/ml/processing/output",
            "dataset_format": json.dumps(format),
            "publish_cloudwatch_metrics": "Disabled",
        }
        for name, document in (("constraints", constraints), ("statistics", statistics)):
            if document is not None:
                text = document if isinstance(document, str) else json.dumps(document)
                _put(layout.root / "processing/baseline", {f"{name}.json": text})
                given[f"baseline_{name}"] = f"/opt/ml/processing/baseline/{name}.json"
        for name, text in (scripts or {}).items():
            _put(layout.root / "processing/code", {f"{name}.py": text})
            given[name] = f"/opt/ml/processing/code/{name}.py"
        if truths is not None:
            _put(layout.root / "processing/groundtruth", truths)
            given["ground_truth_source"] = "/opt/ml/processing/groundtruth"
        environment = {**given, **variables, "CLOCHE_ML_ROOT": str(layout.root), "CLOCHE_IMAGE": image}
        code = desk.ask(environment)
        message = layout.output / "message"
        return Ended(code, message.read_text() if message.exists() else "", layout.root / "processing/output")

    return run


def _put(folder: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def captured(
    output: str, input: str, *, encoding: str = "CSV", content_type: str = "text/csv", time: str = "", **metadata: Any
) -> str:
    """A line of a capture file, as AWS writes it."""

    def side(mode: str, data: str) -> dict[str, str]:
        return {"observedContentType": content_type, "mode": mode, "data": data, "encoding": encoding}

    event = {"eventId": "e", **metadata, "inferenceTime": time or "2026-11-26T10:00:00Z"}
    sides = {"endpointInput": side("INPUT", input), "endpointOutput": side("OUTPUT", output)}
    return json.dumps({"captureData": sides, "eventMetadata": event, "eventVersion": "0"}, separators=(",", ":")) + "\n"


CSV = {"csv": {"header": True, "output_columns_position": "START"}}
BARE_CSV = {"csv": {"header": False}}
CAPTURE = {"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}}
