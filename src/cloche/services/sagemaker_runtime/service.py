"""Amazon SageMaker Runtime. What is left out is in ``unsupported.toml``."""

from __future__ import annotations

from cloche.aws.errors import ErrorCodes
from cloche.aws.operation import Service

# The runtime says ValidationError where the control plane says ValidationException
# (aws/amazon-sagemaker-examples#559; botocore's model of sagemaker-runtime lists the rest).
CODES = ErrorCodes(
    not_found=("ValidationError", 400),
    invalid=("ValidationError", 400),
    conflict=("ValidationError", 400),
    not_supported=("ValidationError", 400),
    limit_reached=("ServiceUnavailable", 503),
    denied=("AccessDeniedException", 403),
    broken=("InternalFailure", 500),
)

SERVICE = Service("sagemaker-runtime", modules=("invoke", "invoke_with_response_stream"), errors=CODES)
