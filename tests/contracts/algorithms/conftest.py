"""Built-in algorithms run as the runner runs them: the contract's command in the image's environment, below a folder
of the test. The environments are built once per machine."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest

from cloche.compute.images import EnvironmentBuilder
from cloche_jobs import catalog
from cloche_jobs.contract import Layout, command, configuration, package_folder
from cloche_jobs.contract.environment import serving_environment, training_environment
from cloche_jobs.contract.failure import read_failure

SHARED = Path(__file__).resolve().parents[4] / "shared"


@dataclass(frozen=True)
class Ended:
    """A training process that is over."""

    layout: Layout
    exit_code: int
    output: str
    log: str

    @property
    def failure(self) -> str:
        return read_failure(self.layout.failure)

    def column(self, name: str) -> list[float]:
        """One metric, round by round, from what was printed."""
        return [
            float(part.rpartition(":")[2])
            for line in self.output.splitlines()
            for part in line.split("\t")[1:]
            if part.rpartition(":")[0] == name
        ]


@pytest.fixture(scope="session")
def builder() -> EnvironmentBuilder:
    return EnvironmentBuilder()


@pytest.fixture(scope="session")
def python_of(builder: EnvironmentBuilder) -> Callable[[str], Path]:
    return lambda image: builder.ensure(catalog.by_key(image).environment, print).python


Train = Callable[..., Ended]


@pytest.fixture
def train(tmp_path: Path, python_of: Callable[[str], Path]) -> Train:
    def run(
        hyperparameters: Mapping[str, str],
        channels: Mapping[str, Mapping[str, str | bytes]],
        *,
        image: str = "sagemaker-xgboost:1.7-1",
        content_type: str | None = "text/csv",
        input_mode: str = "File",
        folder: str = "ml",
    ) -> Ended:
        layout = Layout(tmp_path / folder).make()
        layout.failure.unlink(missing_ok=True)
        for name, files in channels.items():
            contents = {
                file: content if isinstance(content, bytes) else content.encode() for file, content in files.items()
            }
            if input_mode == "Pipe":
                os.mkfifo(layout.data / f"{name}_0")
                threading.Thread(
                    target=(layout.data / f"{name}_0").write_bytes, args=(b"".join(contents.values()),), daemon=True
                ).start()
                continue
            layout.channel(name).mkdir(exist_ok=True)
            for file, content in contents.items():
                (layout.channel(name) / file).write_bytes(content)
        declared = [configuration.Channel(name, content_type, input_mode=input_mode) for name in channels]
        configuration.write_configuration(layout, hyperparameters, declared, configuration.Hosts())
        python = python_of(image)
        environment = training_environment(
            image=image,
            python=python,
            package_root=package_folder().parent,
            job_name="job",
            job_arn="arn:aws:sagemaker:us-east-1:123456789012:training-job/job",
            region="us-east-1",
            ml_root=layout.root,
        )
        ended = subprocess.run(
            command(python, "train"), env=environment, cwd=layout.root, capture_output=True, text=True, check=False
        )
        return Ended(layout, ended.returncode, ended.stdout, ended.stderr)

    return run


class Served:
    """A model server behind a Unix socket."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def ask(
        self, body: bytes, content_type: str = "text/csv", accept: str = "text/csv"
    ) -> tuple[int, str | None, bytes]:
        with socket.socket(socket.AF_UNIX) as end, contextlib.closing(HTTPConnection("localhost")) as connection:
            end.connect(str(self.path))
            connection.sock = end
            connection.request("POST", "/invocations", body, {"Content-Type": content_type, "Accept": accept})
            with connection.getresponse() as answer:
                return answer.status, answer.getheader("Content-Type"), answer.read()


Serve = Callable[..., contextlib.AbstractContextManager[Served]]


@pytest.fixture
def served(python_of: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Serve:
    @contextlib.contextmanager
    def run(
        layout: Layout, image: str = "sagemaker-xgboost:1.7-1", request: Mapping[str, str] | None = None
    ) -> Iterator[Served]:
        path = tmp_path_factory.mktemp("s") / "s"
        python = python_of(image)
        environment = serving_environment(
            image=image,
            python=python,
            package_root=package_folder().parent,
            region="us-east-1",
            bind=f"unix:{path}",
            request=request,
            ml_root=layout.root,
        )
        with subprocess.Popen(command(python, "serve"), env=environment, cwd=layout.root) as process:
            try:
                deadline = time.monotonic() + 60
                while not path.exists():
                    assert process.poll() is None, "the model server ended before it listened"
                    assert time.monotonic() < deadline, "the model server does not listen"
                    time.sleep(0.01)
                yield Served(path)
            finally:
                process.terminate()
                assert process.wait(30) == 0

    return run


@pytest.fixture(scope="session")
def breast_cancer(python_of: Callable[[str], Path]) -> dict[str, str]:
    """scikit-learn's bundled data, label first: ``train`` 400 rows, ``validation`` 100, ``test`` 69."""
    source = """
import json
from sklearn.datasets import load_breast_cancer
data = load_breast_cancer()
rows = [",".join(map(repr, [int(y), *map(float, x)])) for x, y in zip(data.data, data.target)]
parts = {"train": rows[:400], "validation": rows[400:500], "test": rows[500:]}
print(json.dumps({name: "\\n".join(part) + "\\n" for name, part in parts.items()}))
"""
    python = python_of("sagemaker-xgboost:1.7-1")
    answer = subprocess.run([python, "-c", source], capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)


@pytest.fixture
def case() -> Callable[[str], Path]:
    """The folder of a reference case; skips where the references are not on this machine."""

    def find(name: str) -> Path:
        folder = SHARED / "reference" / "cases" / name
        if not folder.is_dir():
            pytest.skip(f"reference case {name} is not on this machine ({folder})")
        return folder

    return find
