"""Whose fault a failure was, and how it travels from a job to ``FailureReason``.

    JobError
    ├── UserError        the request or the data is wrong; the caller can mend it        ClientError
    ├── AlgorithmError   the algorithm broke although everything given to it was right   AlgorithmError
    └── PlatformError    what the contract promises was not there                        InternalServerError

A job writes one text to ``output/failure`` and leaves with an exit code other than 0. The first writer wins: a
script that wrote its own text keeps it. Source of the three kinds: ``sagemaker_algorithm_toolkit/exceptions.py`` of
aws/sagemaker-xgboost-container; of file, first 1,024 characters and exit codes:
docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html.

AWS's XGBoost container wraps its own user errors in ``AlgorithmError: framework error:`` and a traceback of its
files. Cloche keeps the sentence and drops the traceback: the kind is told by the prefix, the rest is in the log.
"""

from __future__ import annotations

import os
import signal
import stat
from enum import Enum
from pathlib import Path
from typing import Final

REASON_CHARACTERS_MAX: Final = 1_024
EXIT_SUCCESS: Final = 0
EXIT_FAILURE: Final = 1


class Kind(Enum):
    USER = "ClientError"
    ALGORITHM = "AlgorithmError"
    PLATFORM = "InternalServerError"


class JobError(Exception):
    """``message`` is for the person who started the job; it becomes the failure file."""

    kind: Kind = Kind.ALGORITHM

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UserError(JobError):
    kind = Kind.USER


class AlgorithmError(JobError):
    kind = Kind.ALGORITHM


class PlatformError(JobError):
    kind = Kind.PLATFORM


class ScriptFailed(JobError):
    """The user's own script ended badly: AWS files it under ``AlgorithmError`` and keeps the toolkit's words.

    Source: ``errors.py`` of aws/sagemaker-training-toolkit (``ExecuteUserScriptError``, ``InstallRequirementsError``).
    """

    def __init__(self, name: str, exit_code: int, output: str, command: str) -> None:
        extra = '\nExtraInfo "OutOfMemory: Process killed by SIGKILL (signal 9)"' if exit_code == 137 else ""
        text = f'{name}:\nExitCode {exit_code}\nErrorMessage "{output}"{extra}\nCommand "{command}"'
        super().__init__(text)


def write_failure(path: Path, error: JobError) -> None:
    """Leave ``error`` for the server, unless a text is there already."""
    text = f"{error.kind.value}: {error.message}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as stream:
        stream.write(text)


def read_failure(path: Path) -> str:
    """What a job left, bounded, never followed through a link; empty where there is nothing."""
    return read_start(path, 4 * REASON_CHARACTERS_MAX).decode("utf-8", "replace")


def read_start(path: Path, size: int) -> bytes:
    """The first ``size`` bytes of a file that a job may have put anything in the place of: what is none is empty."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return b""
    try:
        return os.read(descriptor, size) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def failure_reason(text: str, exit_code: int) -> str:
    """AWS's ``FailureReason`` for a job that left ``text`` and ended with ``exit_code``.

    A negative code is the number of the signal that ended the process, as ``subprocess`` tells it; AWS shows
    128 plus that number, as a shell does.
    """
    if exit_code < 0:
        exit_code = 128 - exit_code
    text = text.strip("\n")
    if not text:
        return f"AlgorithmError: {_ending(exit_code)}, exit code: {exit_code}"
    if not text.startswith(tuple(f"{kind.value}: " for kind in Kind)):
        text = f"{Kind.ALGORITHM.value}: {text}"
    tail = f", exit code: {exit_code}"
    return text[: REASON_CHARACTERS_MAX - len(tail)] + tail


def _ending(exit_code: int) -> str:
    if exit_code <= 128:
        return ""
    try:
        name = signal.Signals(exit_code - 128).name
    except ValueError:
        return ""
    return f"the process was ended by {name}"
