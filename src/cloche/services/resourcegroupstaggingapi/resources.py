"""GetResources: what has, or once had, tags, in this account and region."""

from __future__ import annotations

from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource.tagging import tag_members
from cloche.engines.tagging import Search, Tagged
from cloche.foundation.errors import Invalid, NotSupported
from cloche.services.resourcegroupstaggingapi.paging import position, token

# docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
RESOURCES_PER_PAGE_MAX: Final = 100
TAGS_PER_PAGE: Final = range(100, 501)
_PAGING: Final = ("PaginationToken", "ResourcesPerPage", "TagsPerPage")
_COMPLIANCE: Final = ("IncludeComplianceDetails", "ExcludeCompliantResources")


@operation("GetResources", reads=True)
def get_resources(ctx: Context, request: Members) -> Members:
    """By ARN. A page ends after so many resources, or before so many tags (a resource without any counts as one)."""
    for name in _COMPLIANCE:
        if request.get(name):
            raise NotSupported(f"GetResources does not support {name} in Cloche: there are no tag policies")
    search = _search(ctx, request)
    question = ["GetResources", search.account, search.region, search.filters, search.types]
    after = position(ctx, question, request.get("PaginationToken"))
    limit, tags_max = _page_size(request)
    found = ctx.parts.tagging.resources(search, after=after or "", limit=limit + 1)
    page = _within(found[:limit], tags_max)
    more = len(found) > len(page)
    return {
        "ResourceTagMappingList": [{"ResourceARN": one.arn, "Tags": tag_members(one.tags)} for one in page],
        # boto3's paginator and AWS's own answers end with an empty token.
        "PaginationToken": token(ctx, question, page[-1].arn) if more else "",
    }


def _search(ctx: Context, request: Members) -> Search:
    arns: list[str] = request.get("ResourceARNList") or []
    if arns and any(request.get(name) for name in _PAGING):
        raise Invalid(f"ResourceARNList cannot be given together with any of {', '.join(_PAGING)}")
    filters = request.get("TagFilters") or []
    return Search(
        ctx.account,
        ctx.region,
        tuple((_key(each), tuple(each.get("Values") or ())) for each in filters),
        tuple(_type(text) for text in request.get("ResourceTypeFilters") or ()),
        tuple(arns),
    )


def _key(tag_filter: dict[str, Any]) -> str:
    key = tag_filter.get("Key")
    if not key:
        raise Invalid("A tag filter needs a Key", field="TagFilters")
    return str(key)


def _type(text: str) -> tuple[str, str]:
    """``service`` or ``service:resourceType``."""
    service, _, kind = text.partition(":")
    if not service:
        raise Invalid(f"{text} is not of the form service[:resourceType]", field="ResourceTypeFilters")
    return service, kind


def _page_size(request: Members) -> tuple[int, int | None]:
    """Resources, and tags where they are counted."""
    resources = request.get("ResourcesPerPage")
    if resources is not None and not 1 <= resources <= RESOURCES_PER_PAGE_MAX:
        raise Invalid(f"ResourcesPerPage must be between 1 and {RESOURCES_PER_PAGE_MAX}", field="ResourcesPerPage")
    tags_max = request.get("TagsPerPage")
    if tags_max is not None and tags_max not in TAGS_PER_PAGE:
        raise Invalid("TagsPerPage must be between 100 and 500", field="TagsPerPage")
    if tags_max is not None and resources is None:
        return tags_max, tags_max
    return resources or RESOURCES_PER_PAGE_MAX, tags_max


def _within(found: list[Tagged], tags_max: int | None) -> list[Tagged]:
    """As many as have together no more tags than that; one at least. A resource's tags are not split."""
    if tags_max is None:
        return found
    count = 0
    for at, one in enumerate(found):
        count += max(1, len(one.tags))
        if count > tags_max and at:
            return found[:at]
    return found
