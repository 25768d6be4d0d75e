"""Installing a script's ``requirements.txt`` for this job alone.

The environment is shared and read-only, so what is missing goes into a folder of the job's own that comes before it on
the import path. ``pip`` is asked first what it would add to the environment as it is (a dry run with a report), then
told to install just that into the folder, without dependencies: asking for a target folder at once would fetch numpy
and all the rest a second time.
"""

from __future__ import annotations

import json
import logging
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from cloche_jobs.contract.failure import ScriptFailed
from cloche_jobs.contract.layout import Layout

log = logging.getLogger(__name__)
_QUIET: Final = ("--disable-pip-version-check", "--no-input", "--root-user-action=ignore")


def install_requirements(code: Path, layout: Layout) -> Path | None:
    """The folder to put on the import path; ``None`` when there is no file or nothing is missing.

    Raises ``ScriptFailed`` with pip's last lines.
    """
    if not (code / "requirements.txt").is_file():
        return None
    log.info("Installing dependencies from requirements.txt")
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        _pip(code, ["install", "--dry-run", "--report", report.name, "-r", "requirements.txt"])
        wanted = [_pinned(item) for item in json.loads(Path(report.name).read_bytes())["install"]]
    if not wanted:
        return None
    folder = _folder(layout)
    _pip(code, ["install", "--no-deps", "--target", str(folder), *wanted])
    return folder


def _folder(layout: Layout) -> Path:
    folder = layout.root / "packages"
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="packages-"))
    return folder


def _pinned(item: dict[str, Any]) -> str:
    name, version = item["metadata"]["name"], item["metadata"]["version"]
    return f"{name} @ {item['download_info']['url']}" if item.get("is_direct") else f"{name}=={version}"


def _pip(code: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "pip", *arguments, *_QUIET]
    lines: list[str] = []
    with subprocess.Popen(
        command, cwd=code, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines = [*lines[-19:], line.strip()]
    if process.returncode != 0:
        said = [line for line in lines if line.startswith("ERROR")] or lines
        shown = shlex.join([*command[:4], "-r", "requirements.txt"])
        raise ScriptFailed("InstallRequirementsError", process.returncode, "\n".join(said), shown)
