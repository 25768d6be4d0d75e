"""Training in script mode: unpack, install, run, tell how it ended.

Source of the order and of the texts: ``entry_point.py``, ``process.py`` and ``logging_config.py`` of
aws/sagemaker-training-toolkit. A bundle with a ``setup.py`` is run as ``python -m`` from its folder without being
installed first. The runner signals the whole process group, so SIGTERM reaches the script by itself; this process
only has to outlive it.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from cloche_jobs.contract import PACKAGE_ROOT, package_folder
from cloche_jobs.contract.failure import ScriptFailed, UserError
from cloche_jobs.contract.layout import Layout
from cloche_jobs.frameworks.code_folder import prepare_code
from cloche_jobs.frameworks.requirements import install_requirements
from cloche_jobs.frameworks.variables import Training

log = logging.getLogger(__name__)
_ERROR_LINE: Final = re.compile(r"\s*[\w.]*(Error|Exception|Interrupt|Exit|Fault|fault)\b")
_TAIL_LINES: Final = 60


@dataclass(frozen=True, slots=True)
class Launch:
    """What runs the script on this host, and what it finds in its environment besides ``SM_*``."""

    command: list[str]
    variables: dict[str, str] = field(default_factory=dict)
    ended: Callable[[], None] = lambda: None
    """Called when that has ended, however it did."""


Launcher = Callable[[Training, list[str]], Launch]
"""Given what is asked for and the command that runs the script. Raises ``JobError``."""


def main(layout: Layout) -> None:
    """Run the user's training program to its end, on each host by itself. Raises ``JobError``."""
    train(layout, lambda training, command: Launch(command))


def train(layout: Layout, launcher: Launcher) -> None:
    """The same, launched as ``launcher`` says."""
    training = Training.read(layout)
    code = prepare_code(layout, training.submit_directory)
    packages = install_requirements(code, layout)
    launch = launcher(training, _command(code, training))
    variables = training.variables()
    _log_invocation(training, variables, launch.command)
    path = {"PYTHONPATH": import_path(code, packages)}
    try:
        run_script(launch.command, code, {**os.environ, **variables, **launch.variables, **path})
    finally:
        launch.ended()
    log.info("Reporting training SUCCESS")


def import_path(code: Path, packages: Path | None) -> str:
    """``PYTHONPATH`` for user code: its folder, its packages, what the request asked for, and the names of AWS's
    toolkits; not Cloche's own."""
    ours = {str(PACKAGE_ROOT), str(package_folder().parent)}
    given = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry and entry not in ours]
    return os.pathsep.join(
        [str(code), *([str(packages)] if packages else []), *given, str(package_folder() / "toolkits")]
    )


def _command(code: Path, training: Training) -> list[str]:
    program = code / training.program
    if not program.is_file() or not program.resolve().is_relative_to(code.resolve()):
        there = ", ".join(sorted(path.name for path in code.iterdir())[:20]) or "nothing"
        raise UserError(f"the program {training.program} is not in the bundle, which holds {there}")
    arguments = training.arguments()
    if training.program.endswith(".py"):
        if (code / "setup.py").is_file():
            return [sys.executable, "-m", training.module_name.replace("/", "."), *arguments]
        return [sys.executable, training.program, *arguments]
    program.chmod(0o755)
    return ["/bin/sh", "-c", shlex.join([f"./{training.program}", *arguments])]


def run_script(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    """Run and wait. Raises ``ScriptFailed`` unless it exits with 0.

    Its standard error is passed on, and the end of it kept for the failure.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    tail: list[str] = []
    process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE)
    assert process.stderr is not None
    reader = threading.Thread(target=_pass_on, args=(process.stderr, tail), daemon=True)
    reader.start()
    code = process.wait()
    reader.join(timeout=1)  # not longer: a grandchild may hold the pipe open, the script itself has ended
    if code != 0:
        raise _failed(code, command, tail)


def _pass_on(stream: IO[bytes], tail: list[str]) -> None:
    for line in stream:
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
        tail.append(line.decode("utf-8", "replace").rstrip())
        del tail[:-_TAIL_LINES]


def _failed(code: int, command: list[str], tail: list[str]) -> ScriptFailed:
    at = max((number for number, line in enumerate(tail) if _ERROR_LINE.match(line)), default=max(0, len(tail) - 5))
    return ScriptFailed("ExecuteUserScriptError", code, "\n".join(tail[at:]).strip(), " ".join(command))


def _log_invocation(training: Training, variables: dict[str, str], command: list[str]) -> None:
    shown = "\n".join(f"{name}={value}" for name, value in variables.items())
    log.info(
        "Invoking user script\n\nTraining Env:\n\n%s\n\nEnvironment variables:\n\n%s\n\n"
        "Invoking script with the following command:\n\n%s\n\n",
        json.dumps(json.loads(variables["SM_TRAINING_ENV"]), indent=4),
        shown,
        " ".join(command),
    )
    sys.stdout.flush()
    sys.stderr.flush()
