"""One of AWS's images: what it is called, what is installed in its stead, and what runs in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from cloche_jobs import registries
from cloche_jobs.contract.sources import SCRIPT, program

LOCKS: Final = Path(__file__).resolve().parent / "locks"


class Mode(Enum):
    BUILT_IN = "built-in algorithm"
    """Runs without user code; with ``sagemaker_program`` it runs that script instead."""
    FRAMEWORK = "script-mode framework"
    """Runs the user's script and nothing else."""
    PROCESSING = "processing"
    """Runs in processing jobs alone, by programs of its own."""
    BARE = "Python and the SDK"
    """Runs what a training or processing job names, and serves nothing."""
    OWN = "container of the user's own"
    """Runs what the image says, in the image's files."""


@dataclass(frozen=True, slots=True)
class Image:
    """One image. ``key`` (``sagemaker-xgboost:1.7-1``) is what jobs carry in ``CLOCHE_IMAGE``."""

    name: str
    version: str
    mode: Mode
    environment: str
    """Name of the lock file, without ``.txt``; with ``@3.10`` after it for a Python of just that version."""
    library: str
    """What is installed in AWS's stead, for people to read."""
    train: str
    serve: str
    spec: str | None
    """Module with the algorithm's hyperparameters, channels and metrics; ``None`` for frameworks."""
    note: str = ""
    programs: tuple[tuple[str, str], ...] = ()
    """What a job that names its program finds on its path besides: (name, module that is run)."""
    needs_java: bool = False
    module: str = ""
    """Run in a processing job that names no entry point of its own: the image's own program."""
    imports: tuple[str, ...] = ()
    """What that program, or a script, begins with importing: a process that stands by does so ahead."""
    tail: str = ""
    """What AWS's tag has after the version; empty where the mode says it."""
    is_deep_learning: bool = False
    """Published with those of PyTorch and TensorFlow: under tags for GPUs too, and with versions cut short."""

    sdk: str = ""
    """The generation of the SDK that is installed, where that is the caller's."""
    digest: str = ""
    """``sha256:…`` of the manifest, of an image of the user's own: its key."""

    @property
    def key(self) -> str:
        if self.digest:
            return self.digest
        key = f"{self.name}:{self.version}" if self.version else self.name
        return f"{key}+sdk{self.sdk}" if self.sdk else key

    @property
    def python(self) -> str:
        """The version its Python must have (``3.10``); empty where any will do."""
        return self.environment.partition("@")[2]

    @property
    def runs_ours(self) -> bool:
        """Whether its Python is new enough for the programs of ``cloche_jobs``."""
        return self.python not in ("3.8", "3.9", "3.10")

    @property
    def entrypoint(self) -> tuple[str, ...]:
        """The command line of the image's own program; empty where it has none."""
        return ("python3", "-P", "-m", self.module) if self.module else ()

    @property
    def lock(self) -> Path:
        return LOCKS / f"{self.environment.partition('@')[0]}.txt"

    @property
    def accounts(self) -> Mapping[str, str]:
        """Who publishes it, by region."""
        return (
            registries.DEEP_LEARNING if self.is_deep_learning else registries.OF_NAME.get(self.name, registries.SHARED)
        )

    @property
    def said(self) -> str:
        """What stands in for the library of AWS's image, in a sentence for the log."""
        return f"{self.key} runs on {self.library}{': ' if self.note else ''}{self.note}"

    def training_entry(self, hyperparameters: Mapping[str, str], environment: Mapping[str, str]) -> str:
        """What trains: the user's script where the request names one, in a built-in image too; else ``train``."""
        own_script = self.mode is Mode.BUILT_IN and program(hyperparameters, environment)
        return SCRIPT if own_script else self.train

    def uri(self, region: str = "us-east-1") -> str:
        """The address AWS's SDKs compute for this image."""
        account = self.accounts.get(region, self.accounts["us-east-1"])
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        tails = {Mode.BUILT_IN: "", Mode.FRAMEWORK: "-cpu-py3", Mode.PROCESSING: "-cpu-py39-v1.0", Mode.BARE: ""}
        tag = f":{self.version}{self.tail or tails[self.mode]}" if self.version else ""
        return f"{account}.dkr.ecr.{region}.{suffix}/{self.name}{tag}"


class ImageUnknown(LookupError):
    """``str()`` is a sentence for the caller: what is wrong, and what would be right."""
