"""``sagemaker_training`` of AWS's images; ``cloche_jobs`` is found behind everything else on the import path."""

import sys
from pathlib import Path

if (_ROOT := str(Path(__file__).parents[3])) not in sys.path:
    sys.path.append(_ROOT)
