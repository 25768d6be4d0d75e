"""Scripts that end in every way, run by the interpreter of the tests: script mode needs no library."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from cloche_jobs.contract import Layout, command, configuration, package_folder
from cloche_jobs.contract.environment import training_environment
from cloche_jobs.contract.failure import failure_reason, read_failure


class Job:
    def __init__(self, root: Path) -> None:
        self.layout = Layout(root).make()

    def bundle(self, files: Mapping[str, str]) -> None:
        with tarfile.open(self.layout.bundle, "w:gz") as tar:
            for name, text in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(text.encode())
                tar.addfile(info, io.BytesIO(text.encode()))

    def start(self, hyperparameters: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        given = {
            "sagemaker_program": '"train.py"',
            "sagemaker_submit_directory": '"s3://bucket/sourcedir.tar.gz"',
            **(hyperparameters or {}),
        }
        channels = [configuration.Channel("train", "text/csv")]
        configuration.write_configuration(
            self.layout, given, channels, configuration.Hosts([configuration.Group(instance_type="ml.m5.large")])
        )
        environment = training_environment(
            image="sagemaker-scikit-learn:1.2-1",
            python=sys.executable,
            package_root=package_folder().parent,
            job_name="job",
            job_arn="arn",
            region="us-east-1",
            ml_root=self.layout.root,
        )
        return subprocess.Popen(
            command(sys.executable, "train"),
            env=environment,
            cwd=self.layout.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, script: str, hyperparameters: Mapping[str, str] | None = None) -> tuple[int, str, str]:
        self.bundle({"train.py": script})
        with self.start(hyperparameters) as process:
            output, log = process.communicate(timeout=60)
        return process.returncode, output, log

    @property
    def reason(self) -> str:
        return failure_reason(read_failure(self.layout.failure), 1)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path / "ml")


def test_a_script_sees_arguments_variables_and_folders(job: Job) -> None:
    script = """
import json, os, sys
names = ("SM_MODEL_DIR", "SM_CHANNELS", "SM_CHANNEL_TRAIN", "SM_HPS", "SM_HP_EPOCHS", "SM_CURRENT_HOST", "SM_HOSTS",
         "SM_NUM_GPUS", "SM_OUTPUT_DATA_DIR", "SM_MODULE_NAME", "SM_LOG_LEVEL", "SM_USER_ARGS", "SM_RESOURCE_CONFIG")
print(json.dumps({"argv": sys.argv[1:], "cwd": os.getcwd(), "path": os.environ["PYTHONPATH"],
                  "env": {name: os.environ[name] for name in names}}))
open(os.path.join(os.environ["SM_MODEL_DIR"], "model"), "w").write("x")
"""
    code, output, log = job.run(script, {"epochs": "3", "name": '"a b"', "flag": "true", "bare": "word", "x": "1"})
    assert code == 0, log
    seen = json.loads(output)
    assert seen["argv"] == ["--bare", "word", "--epochs", "3", "--flag", "True", "--name", "a b", "-x", "1"]
    assert seen["cwd"] == str(job.layout.code)
    assert str(package_folder().parent) not in seen["path"].split(os.pathsep)
    assert json.loads(seen["env"]["SM_HPS"]) == {"epochs": 3, "name": "a b", "flag": True, "bare": "word", "x": 1}
    assert seen["env"]["SM_CHANNELS"] == '["train"]'
    assert seen["env"]["SM_CHANNEL_TRAIN"] == str(job.layout.channel("train"))
    assert seen["env"]["SM_MODULE_NAME"] == "train"
    assert seen["env"]["SM_HOSTS"] == '["algo-1"]'
    assert (job.layout.model / "model").read_text() == "x"
    assert "Invoking user script" in log
    assert not job.layout.failure.exists()


ENDINGS = {
    "exit 3": ("import sys; sys.exit(3)", 'ExitCode 3\nErrorMessage ""\n'),
    "exception": ("raise ValueError('bad thing')", 'ExitCode 1\nErrorMessage "ValueError: bad thing"\n'),
    "segfault": ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ExitCode -11\n"),
    "syntax": ("def", 'ErrorMessage "SyntaxError: invalid syntax"\n'),
    "last words": ("import sys; sys.exit('no more')", 'ErrorMessage "no more"\n'),
}


@pytest.mark.parametrize("kind", ENDINGS)
def test_bad_endings_are_told_as_the_toolkit_tells_them(kind: str, job: Job) -> None:
    script, text = ENDINGS[kind]
    code, _, _ = job.run(script)
    assert code == 1
    assert job.reason.startswith("AlgorithmError: ExecuteUserScriptError:\nExitCode ")
    assert text in job.reason
    assert f'Command "{sys.executable} train.py"' in job.reason
    assert job.reason.endswith(", exit code: 1")


def test_a_script_that_wrote_its_own_failure_keeps_it(job: Job) -> None:
    code, _, _ = job.run("import os; open('../output/failure', 'w').write('mine'); os._exit(9)")
    assert code == 1
    assert job.reason == "AlgorithmError: mine, exit code: 1"


def test_a_grandchild_that_holds_the_pipe_does_not_hold_the_job(job: Job) -> None:
    script = (
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(20)'], stdout=-3)"
    )
    job.bundle({"train.py": script})
    began = time.monotonic()
    with job.start() as process:
        try:
            assert process.wait(15) == 0
            assert time.monotonic() - began < 15
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.mark.parametrize("ignores", [True, False])
def test_term_reaches_the_script_and_only_kill_ends_one_that_ignores_it(ignores: bool, job: Job) -> None:
    handler = "signal.SIG_IGN" if ignores else "lambda *_: (open('../model/saved', 'w').close(), sys.exit(0))"
    script = (
        f"import signal, sys, time\nsignal.signal(15, {handler})\nprint('up', flush=True)\nwhile True: time.sleep(0.05)"
    )
    job.bundle({"train.py": script})
    with job.start() as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        os.killpg(process.pid, signal.SIGTERM)
        if ignores:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1)
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)
    assert process.returncode == (-signal.SIGKILL if ignores else 0)
    assert (job.layout.model / "saved").exists() is not ignores


def test_hostile_and_missing_bundles(job: Job, tmp_path: Path) -> None:
    job.bundle({"../escaped.py": "x"})
    with job.start() as process:
        process.communicate(timeout=60)
    assert job.reason == (
        "ClientError: sourcedir.tar.gz holds a name that leaves its folder: ../escaped.py, exit code: 1"
    )
    assert not (job.layout.root / "escaped.py").exists()
    absent = Job(tmp_path / "absent")
    with absent.start() as process:
        process.communicate(timeout=60)
    assert absent.reason.startswith("InternalServerError: the bundle s3://bucket/sourcedir.tar.gz was not placed")


def test_a_program_that_is_not_there_is_told_with_what_is(job: Job) -> None:
    job.bundle({"other.py": "x"})
    with job.start() as process:
        process.communicate(timeout=60)
    assert job.reason == "ClientError: the program train.py is not in the bundle, which holds other.py, exit code: 1"


def test_shell_programs_run(job: Job) -> None:
    job.bundle({"run.sh": '#!/bin/sh\necho "$@" > ../model/said\n'})
    with job.start({"sagemaker_program": "run.sh", "text": "a;b c"}) as process:
        _, log = process.communicate(timeout=60)
    assert process.returncode == 0, log
    assert (job.layout.model / "said").read_text() == "--text a;b c\n"


def test_no_program_is_the_callers_fault(job: Job) -> None:
    with job.start({"sagemaker_program": '""'}) as process:
        process.communicate(timeout=60)
    assert job.reason.startswith("ClientError: Missing required hyperparameter: sagemaker_program.")
