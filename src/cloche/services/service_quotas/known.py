"""The quotas of a service, by code: those of the catalogue and, of SageMaker, one for each instance type that its
model names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from cloche.aws.model.load import service_model
from cloche.engines.quotas import PUBLIC, SERVICES, Quota, endpoint_quota, training_quota, transform_quota
from cloche.foundation.errors import NotFound


@cache
def quotas_of(service: str) -> Mapping[str, Quota]:
    """In the order of their codes. Raises ``NotFound`` for a service that Cloche has no quotas of."""
    if service not in SERVICES:
        raise NotFound(f"The request failed because the specified service does not exist: {service}.")
    found = [quota for quota in PUBLIC if quota.service == service]
    if service == "sagemaker":
        model = service_model("sagemaker")
        types: Any = model.shape_for("TrainingInstanceType")
        found += [training_quota(name) for name in types.enum]
        types = model.shape_for("TransformInstanceType")
        found += [transform_quota(name) for name in types.enum]
        types = model.shape_for("ProductionVariantInstanceType")
        found += [endpoint_quota(name) for name in types.enum]
    return {quota.code: quota for quota in sorted(found, key=lambda quota: quota.code)}


def quota_of(service: str, code: str) -> Quota:
    """Raises ``NotFound``."""
    found = quotas_of(service).get(code)
    if found is None:
        raise NotFound(f"The request failed because the specified service quota does not exist: {code}.")
    return found
