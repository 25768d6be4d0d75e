"""How SageMaker refuses experiments, trials and their components.

Every SDK looks for "already exists" in the message of a ``ValidationException``; AWS says "… names must be unique
within an AWS account …" since 2026 (aws/sagemaker-python-sdk#6256). So both are said.
"""

from __future__ import annotations

from cloche.aws.resource import Fact, fact


def taken(noun: str) -> Fact:
    return fact(
        "ValidationException",
        f"{noun} names must be unique within an AWS account and region. {noun} with name ({{name}}) already exists.",
        source="aws/sagemaker-python-sdk#6256; is_already_exist_error of sagemaker.experiments._utils",
    )


def absent(noun: str) -> Fact:
    return fact(
        "ResourceNotFound",
        f"{noun} '{{name}}' does not exist.",
        source="code: errors of the noun's operations in the model; words: Cloche's own",
    )
