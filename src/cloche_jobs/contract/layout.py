"""Where things lie below ``/opt/ml``.

Source: docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html and
``sagemaker_training/environment.py`` of aws/sagemaker-training-toolkit. ``input/source`` is Cloche's own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ML_ROOT = Path("/opt/ml")
ML_ROOT_VARIABLE = "CLOCHE_ML_ROOT"


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of one job. ``Layout(host_folder)`` is the server's view, ``Layout.here()`` the job's."""

    root: Path = ML_ROOT

    @classmethod
    def here(cls) -> Layout:
        return cls(Path(os.environ.get(ML_ROOT_VARIABLE) or ML_ROOT))

    @property
    def input(self) -> Path:
        return self.root / "input"

    @property
    def config(self) -> Path:
        return self.root / "input" / "config"

    @property
    def hyperparameters(self) -> Path:
        return self.config / "hyperparameters.json"

    @property
    def input_data_config(self) -> Path:
        return self.config / "inputdataconfig.json"

    @property
    def resource_config(self) -> Path:
        return self.config / "resourceconfig.json"

    @property
    def checkpoint_config(self) -> Path:
        return self.config / "checkpointconfig.json"

    @property
    def data(self) -> Path:
        return self.root / "input" / "data"

    def channel(self, name: str) -> Path:
        return self.data / name

    @property
    def bundle(self) -> Path:
        """Where the server places the script-mode bundle it fetched from S3."""
        return self.root / "input" / "source" / "sourcedir.tar.gz"

    @property
    def meeting(self) -> Path:
        """One folder on all hosts of a job; see ``cloche_jobs.meeting``."""
        return self.root / ".hosts"

    @property
    def code(self) -> Path:
        return self.root / "code"

    @property
    def model(self) -> Path:
        return self.root / "model"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def output(self) -> Path:
        return self.root / "output"

    @property
    def output_data(self) -> Path:
        return self.root / "output" / "data"

    @property
    def intermediate(self) -> Path:
        return self.root / "output" / "intermediate"

    @property
    def failure(self) -> Path:
        return self.root / "output" / "failure"

    def make(self) -> Layout:
        """Make every folder a job may rely on (``checkpoints`` is only there when asked for)."""
        folders = (
            self.config,
            self.data,
            self.bundle.parent,
            self.code,
            self.model,
            self.output_data,
            self.intermediate,
        )
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        return self
