"""How a line of a job's output is stored.

CloudWatch shows SageMaker's training logs with each control character as ``#`` and three octal digits, a tab as
``#011`` and an escape as ``#033`` (a syslog habit); AWS's metric expressions for the built-in algorithms contain
``#011``. Source: the logs in aws/amazon-sagemaker-examples, ``metrics.py`` of aws/sagemaker-xgboost-container.
"""

from __future__ import annotations

_STORED = {code: f"#{code:03o}" for code in (*range(0x20), 0x7F)}


def as_stored(line: str) -> str:
    """``line``, without its newline, in the form CloudWatch shows and metric expressions are matched against."""
    return line if line.isprintable() else line.translate(_STORED)
