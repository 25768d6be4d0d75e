"""What tests of the runtime share with those of hosting."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "sagemaker"))

from hosting_requests import ROW, SKLEARN, XGBOOST, Hosting, archive, hosting_of, refused, trained, unique

__all__ = [
    "ROW",
    "SKLEARN",
    "XGBOOST",
    "Hosting",
    "archive",
    "endpoint_that_serves",
    "hosting_of",
    "refused",
    "trained",
    "unique",
]


def endpoint_that_serves(hosting: Hosting) -> str:
    """A new endpoint in service with the model ``trained(1)``."""
    name = hosting.endpoint(hosting.put(trained(1)[0]))
    assert hosting.described(name)["EndpointStatus"] == "InService"
    return name
