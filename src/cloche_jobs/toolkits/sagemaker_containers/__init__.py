"""``sagemaker_containers`` of AWS's images; ``cloche_jobs`` is found behind everything else on the import path."""

import sys
from pathlib import Path

if (_ROOT := str(Path(__file__).parents[3])) not in sys.path:
    sys.path.append(_ROOT)

from cloche_jobs.toolkits.sagemaker_training.environment import Environment as training_env  # noqa: N813

__all__ = ["training_env"]
