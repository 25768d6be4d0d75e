"""``sagemaker_xgboost_container`` of AWS's images; ``cloche_jobs`` is found behind everything else."""

import sys
from pathlib import Path

if (_ROOT := str(Path(__file__).parents[3])) not in sys.path:
    sys.path.append(_ROOT)
