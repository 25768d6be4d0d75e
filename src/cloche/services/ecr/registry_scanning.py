"""What of a registry is scanned: nothing, and that is told as it is."""

from __future__ import annotations

from cloche.aws.operation import Context, Members, operation
from cloche.engines.image_registry.errors import RepositoryUnknown
from cloche.foundation.errors import NotSupported
from cloche.services.ecr.access import repository_named
from cloche.services.ecr.repository_settings import NO_SCANS


@operation("GetRegistryScanningConfiguration", reads=True)
def get_registry_scanning_configuration(ctx: Context, request: Members) -> Members:
    return {"registryId": ctx.account, "scanningConfiguration": {"scanType": "BASIC", "rules": []}}


@operation("PutRegistryScanningConfiguration")
def put_registry_scanning_configuration(ctx: Context, request: Members) -> Members:
    """Basic scanning of nothing is what every registry has."""
    if request.get("scanType", "BASIC") != "BASIC" or request.get("rules"):
        raise NotSupported(f"{NO_SCANS}: scanType must be BASIC, and rules must be empty")
    return {"registryScanningConfiguration": {"scanType": "BASIC", "rules": []}}


@operation("BatchGetRepositoryScanningConfiguration", reads=True)
def batch_get_repository_scanning_configuration(ctx: Context, request: Members) -> Members:
    found: list[Members] = []
    failures: list[Members] = []
    for name in request["repositoryNames"]:
        try:
            repository = repository_named(ctx, ctx.account, ctx.region, name, "BatchGetRepositoryScanningConfiguration")
        except RepositoryUnknown:
            # getmoto/moto, moto/ecr/responses.py
            failures.append(
                {
                    "repositoryName": name,
                    "failureCode": "REPOSITORY_NOT_FOUND",
                    "failureReason": "REPOSITORY_NOT_FOUND",
                }
            )
            continue
        found.append(
            {
                "repositoryArn": repository.arn,
                "repositoryName": repository.name,
                "scanOnPush": False,
                "scanFrequency": "MANUAL",
                "appliedScanFilters": [],
            }
        )
    return {"scanningConfigurations": found, "failures": failures}
