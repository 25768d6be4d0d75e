"""AWS Lambda. What is left out is in ``unsupported.toml``."""

from __future__ import annotations

from cloche.aws.operation import Service
from cloche.services.lambda_.errors import CODES

SERVICE = Service(
    "lambda",
    modules=(
        "function",
        "version",
        "alias",
        "layer",
        "permission",
        "concurrency",
        "event_invoke_config",
        "event_source_mapping",
        "invoke",
        "tags",
    ),
    errors=CODES,
)
