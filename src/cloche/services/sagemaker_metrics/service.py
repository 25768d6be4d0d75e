"""``BatchPutMetrics`` and ``BatchGetMetrics``, whole. The model names no error; the codes are the control plane's."""

from __future__ import annotations

from typing import Final

from cloche.aws.errors import ErrorCodes
from cloche.aws.operation import Service

CODES: Final = ErrorCodes(not_found=("ResourceNotFound", 404), invalid=("ValidationException", 400))

SERVICE = Service(
    name="sagemaker-metrics",
    modules=("cloche.services.sagemaker_metrics.putting", "cloche.services.sagemaker_metrics.getting"),
    errors=CODES,
)
