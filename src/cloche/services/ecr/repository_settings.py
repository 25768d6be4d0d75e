"""What may be changed of a repository: whether tags stay where they are, and whether images are to be scanned.

Cloche scans nothing: a repository that is to scan what is pushed would promise what nobody does, so that is refused.
"""

from __future__ import annotations

from cloche.aws.operation import Context, Members, operation
from cloche.foundation.errors import NotSupported
from cloche.services.ecr.access import registry_of, repository_of
from cloche.services.ecr.errors import invalid

NO_SCANS = "Cloche scans no images for vulnerabilities"


def mutability(request: Members) -> Members:
    """The members to keep."""
    mode, filters = request.get("imageTagMutability") or "MUTABLE", request.get("imageTagMutabilityExclusionFilters")
    if bool(filters) != mode.endswith("_WITH_EXCLUSION"):
        # The words for filters that are missing: getmoto/moto, moto/ecr/models.py; none are public for the other.
        what = "can't be null" if not filters else "must be null"
        raise invalid(
            "imageTagMutabilityExclusionFilters",
            f"ImageTagMutabilityExclusionFilters {what} when imageTagMutability is set as {mode}",
        )
    kept: Members = {"imageTagMutability": mode}
    if filters:
        if any(each["filter"].count("*") > 2 for each in filters):
            # ECR allows two wildcards a filter: userguide/image-tag-mutability.html
            raise invalid("imageTagMutabilityExclusionFilters", "a filter may contain 2 wildcards (*) at most")
        kept["imageTagMutabilityExclusionFilters"] = filters
    return kept


def checked_scanning(given: Members) -> Members:
    if given.get("scanOnPush"):
        raise NotSupported(f"{NO_SCANS}: scanOnPush must be false")
    return {"scanOnPush": False}


@operation("PutImageTagMutability")
def put_image_tag_mutability(ctx: Context, request: Members) -> Members:
    repository = repository_of(ctx, request, "PutImageTagMutability")
    kept = mutability(request)
    registry_of(ctx).change(repository, **{"imageTagMutabilityExclusionFilters": None, **kept})
    return {"registryId": repository.account, "repositoryName": repository.name, **kept}


@operation("PutImageScanningConfiguration")
def put_image_scanning_configuration(ctx: Context, request: Members) -> Members:
    repository = repository_of(ctx, request, "PutImageScanningConfiguration")
    kept = checked_scanning(request["imageScanningConfiguration"])
    registry_of(ctx).change(repository, imageScanningConfiguration=kept)
    return {"registryId": repository.account, "repositoryName": repository.name, "imageScanningConfiguration": kept}
