"""What a request is about: a dimension of a resource, and the target that is registered for it.

Sentences: ansible/ansible#40237 and others (no target registered), getmoto/moto, moto/applicationautoscaling (the
others that are not there, and what is not supported), aws/aws-cdk#29065 (metrics of a dimension).
"""

from __future__ import annotations

import sqlite3

from cloche.aws.operation import Context, Members
from cloche.engines.autoscaling import TARGET
from cloche.engines.autoscaling.dimensions import NAMESPACE, Dimension, is_known
from cloche.foundation.errors import Invalid, NotFound, NotSupported
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

PROVISIONED_CONCURRENCY = "sagemaker:variant:DesiredProvisionedConcurrency"


def dimension_of(request: Members) -> Dimension:
    """Raises ``NotSupported`` for what AWS scales and Cloche does not, ``Invalid`` for what nobody does."""
    namespace, dimension, resource = (request[name] for name in ("ServiceNamespace", "ScalableDimension", "ResourceId"))
    if namespace != NAMESPACE:
        raise NotSupported(f"Cloche scales resources of the service namespace sagemaker only, none of {namespace}.")
    if dimension == PROVISIONED_CONCURRENCY:
        raise NotSupported(f"The scalable dimension {dimension} is not supported by Cloche: no endpoint is serverless.")
    if not is_known(dimension, resource):
        raise Invalid("Unsupported service namespace, resource type or scalable dimension")
    return Dimension(dimension, resource)


def described(dimension: Dimension) -> str:
    return f"service namespace: {NAMESPACE}, resource ID: {dimension.resource_id}, scalable dimension: {dimension.name}"


def target_of(ctx: Context, connection: sqlite3.Connection, dimension: Dimension) -> Record:
    """Raises ``NotFound``."""
    found = records.find(connection, ctx.account, ctx.region, TARGET, dimension.key)
    if found is None:
        raise NotFound(f"No scalable target registered for {described(dimension)}")
    return found


def of_target(
    ctx: Context, connection: sqlite3.Connection, kind: str, dimension: Dimension, name: str
) -> Record | None:
    """A policy or a scheduled action of that name."""
    return records.find(connection, ctx.account, ctx.region, kind, f"{dimension.key}|{name}")
