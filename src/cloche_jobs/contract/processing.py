"""What a processing job finds of itself: two files below ``config``.

Source of the files: docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html ("How Amazon
SageMaker Processing Configures Your Processing Container").
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cloche_jobs.contract.failure import read_start
from cloche_jobs.contract.layout import Layout

EXIT_MESSAGE_BYTES_MAX = 1_024
"""docs.aws.amazon.com/sagemaker/latest/dg/byoc-metadata.html: the first KB of ``output/message``."""


def make(layout: Layout, configuration: Mapping[str, Any], current: str, hosts: Sequence[str]) -> None:
    """Make the folders a job may rely on, and tell it what was asked for and who takes part."""
    config = layout.root / "config"
    config.mkdir(parents=True)
    layout.output.mkdir()
    (layout.root / "processing").mkdir()
    (config / "processingjobconfig.json").write_text(json.dumps(dict(configuration)), encoding="utf-8")
    resources = {"current_host": current, "hosts": sorted(hosts)}
    (config / "resourceconfig.json").write_text(json.dumps(resources), encoding="utf-8")


def read_exit_message(path: Path) -> str | None:
    """The first KB of what a job left, never through a link; ``None`` where there is nothing. Raises ``ValueError``
    for what is not UTF-8."""
    data = read_start(path, EXIT_MESSAGE_BYTES_MAX + 1)
    is_all = len(data) <= EXIT_MESSAGE_BYTES_MAX  # else the last character may be cut
    return codecs.getincrementaldecoder("utf-8")().decode(data[:EXIT_MESSAGE_BYTES_MAX], is_all) or None
