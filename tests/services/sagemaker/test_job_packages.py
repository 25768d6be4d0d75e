"""Jobs install packages as the person at this machine does: from the index that pip's own configuration names."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from training_requests import BUCKET, Bench

from cloche.compute.local.sandbox import bubblewrap

SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
WHEEL = "clochetiny-1.0-py3-none-any.whl"


@pytest.fixture
def bench(start_server: Callable[..., Any], tmp_path: Path) -> Bench:
    """A server started where pip is configured to ask an index in a folder, by a file that is not in the home."""
    index = tmp_path / "mirror"
    (index / "packages").mkdir(parents=True)
    (index / "packages" / WHEEL).write_bytes(_wheel())
    page = index / "simple" / "clochetiny" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<a href="../../packages/{WHEEL}">{WHEEL}</a>')
    (index / "private").write_text("not for jobs")
    configuration = tmp_path / "pip.conf"
    configuration.write_text(f"[global]\nindex-url = file://{index}/simple\nextra-index-url =\n")
    nothing = dict.fromkeys(("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"), "")
    return Bench(start_server(environment={**nothing, "PIP_CONFIG_FILE": str(configuration)}))


def test_requirements_come_from_the_index_of_this_machine(bench: Bench, tmp_path: Path) -> None:
    """In a script's ``requirements.txt`` and by ``pip install``; a job without a network knows of no index."""
    files = {"requirements.txt": "clochetiny\n", "train.py": "import clochetiny; print('it says', clochetiny.WORD)"}
    bench.s3.put_object(Bucket=BUCKET, Key="code/sourcedir.tar.gz", Body=_bundle(files))
    job = bench.run(
        "by-requirements",
        AlgorithmSpecification={"TrainingImage": SKLEARN, "TrainingInputMode": "File"},
        HyperParameters={
            "sagemaker_program": '"train.py"',
            "sagemaker_submit_directory": f'"s3://{BUCKET}/code/sourcedir.tar.gz"',
        },
    )
    assert job["TrainingJobStatus"] == "Completed", "\n".join(bench.lines("by-requirements"))
    assert "it says hello" in "\n".join(bench.lines("by-requirements"))

    mirror = tmp_path / "mirror"
    look = f"ls {mirror} || true; " if bubblewrap() else ""
    script = f"{look}pip install --quiet clochetiny 2>&1 && python3 -c 'import clochetiny; print(clochetiny.WORD)'"
    job = bench.run("by-hand", script)
    assert job["TrainingJobStatus"] == "Completed", bench.lines("by-hand")
    lines = bench.lines("by-hand")
    assert lines[-1] == "hello" and "private" not in lines
    if bubblewrap():
        cut = bench.run("cut", "echo configured: $PIP_CONFIG_FILE; ls /etc/cloche", EnableNetworkIsolation=True)
        assert cut["TrainingJobStatus"] == "Failed" and bench.lines("cut")[0] == "configured:"


def _wheel() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("clochetiny.py", "WORD = 'hello'")
        archive.writestr("clochetiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: clochetiny\nVersion: 1.0\n")
        wheel = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr("clochetiny-1.0.dist-info/WHEEL", wheel)
        archive.writestr("clochetiny-1.0.dist-info/RECORD", "")
    return content.getvalue()


def _bundle(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()
