"""Amazon SageMaker's control plane: the nouns Cloche answers. The rest is in ``unsupported.toml``, with reasons."""

from __future__ import annotations

from pathlib import Path

from cloche.aws.operation import Service
from cloche.services.sagemaker.errors import CODES

_NOUNS = (
    "tags",
    "training.training_job",
    "hosting.model",
    "hosting.endpoint_config",
    "hosting.endpoint",
)
_HERE = Path(__file__).parent

SERVICE = Service(
    name="sagemaker",
    modules=tuple(
        f"cloche.services.sagemaker.{noun}"
        for noun in _NOUNS
        if _HERE.joinpath(*noun.split(".")).with_suffix(".py").exists()
    ),
    errors=CODES,
)
