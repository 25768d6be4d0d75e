"""How SageMaker says what its model does not: the codes behind our errors.

The model lists four exceptions only (ConflictException, ResourceInUse, ResourceLimitExceeded, ResourceNotFound).
Broken constraints, and most things that are not there, are a ``ValidationException`` that no model mentions;
each noun's own words are facts in its file.
"""

from __future__ import annotations

from cloche.aws.errors import ErrorCodes

CODES = ErrorCodes(
    # CommonErrors of the SageMaker API reference; "Requested resource not found." is one (boto/boto3#2808).
    not_found=("ValidationException", 400),
    # docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html#API_CreateTrainingJob_Errors
    already_exists=("ResourceInUse", 400),
    limit_reached=("ResourceLimitExceeded", 400),
    conflict=("ValidationException", 400),
    # aws/aws-cdk#32294
    denied=("AccessDeniedException", 400),
)
