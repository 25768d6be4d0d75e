"""Unmodified clients, each in an environment of its own, started by ``cloche run`` as a user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from environments import client_python

IMPATIENT = """
import os, runpy, sys, time
whole = time.sleep
time.sleep = lambda seconds: whole(min(seconds, 1))
sys.argv = sys.argv[1:]
sys.path[0] = os.path.dirname(sys.argv[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""
ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
CLOCHE = str(Path(sys.executable).with_name("cloche"))


def by(client: str, *arguments: str) -> list[str]:
    """A command of Python in the environment of ``client`` (``sagemaker2``, ``sagemaker3``)."""
    return [str(client_python(client)), "-W", "ignore", *arguments]


def impatient(client: str, script: Path, *arguments: str) -> list[str]:
    """A script by that client, its sleeps cut to a second: SDK 2 sleeps for half a minute before it looks whether an
    endpoint is there. One journey of each SDK is left as long as its users' are (``test_pipeline_journey``)."""
    return by(client, "-c", IMPATIENT, str(script), *arguments)


def run(server: Any, command: list[str], folder: Path, **environment: str) -> str:
    """The output of ``cloche run -- command`` against the test server; fails with all of it if it fails."""
    done = subprocess.run(
        [CLOCHE, "run", "--data", str(server.data), "--", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env={**os.environ, **environment},
        timeout=800,
    )
    assert done.returncode == 0, done.stdout[-8000:]
    return done.stdout


def result(output: str) -> Any:
    """What the script printed behind its ``RESULT``."""
    return json.loads(output.rpartition("RESULT ")[2].splitlines()[0])
