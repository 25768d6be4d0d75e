"""Content types of channels and of requests: which of the forms there are is meant.

Names: ``data_utils.py`` of aws/sagemaker-xgboost-container, and
docs.aws.amazon.com/sagemaker/latest/dg/cdf-training.html for the other algorithms. The standard library alone: the
server reads it too.
"""

from __future__ import annotations

from typing import Final, Literal

Form = Literal["csv", "libsvm", "parquet", "recordio-protobuf"]

FORMS: Final[dict[str, Form]] = {
    "csv": "csv",
    "libsvm": "libsvm",
    "parquet": "parquet",
    "recordio-protobuf": "recordio-protobuf",
    "text/csv": "csv",
    "text/libsvm": "libsvm",
    "text/x-libsvm": "libsvm",
    "application/x-parquet": "parquet",
    "application/x-recordio-protobuf": "recordio-protobuf",
}


def media_type(content_type: str) -> tuple[str, dict[str, str]]:
    """``text/csv; label_size=1`` in parts, lower case."""
    head, *rest = content_type.lower().split(";")
    pairs = (part.split("=", 1) for part in rest if "=" in part)
    return head.strip(), {name.strip(): value.strip().strip('"') for name, value in pairs}


def form_of(content_type: str) -> Form | None:
    """The form of data of that type, whatever its parameters; ``None`` for a type that is none of these."""
    return FORMS.get(media_type(content_type)[0])
