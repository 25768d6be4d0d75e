"""Repositories: made, described, listed and deleted."""

from __future__ import annotations

from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.engines.image_registry import REPOSITORY, Repository
from cloche.engines.image_registry.repositories import of_record
from cloche.foundation.clock import from_epoch
from cloche.services.ecr.access import account_of, registry_of, repository_named, repository_of
from cloche.services.ecr.errors import invalid
from cloche.services.ecr.repository_settings import checked_scanning, mutability
from cloche.services.ecr.tags import pairs_of
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Walk, read_page

PAGE_DEFAULT: Final = 100
"""API_DescribeRepositories.html: "returns up to 100 results" where maxResults is not used."""


@operation("CreateRepository")
def create_repository(ctx: Context, request: Members) -> Members:
    if account_of(ctx, request) != ctx.account:
        raise AwsError("AccessDeniedException", "A repository is made in the caller's own registry.", 400)
    settings: dict[str, Any] = {
        **mutability(request),
        "imageScanningConfiguration": checked_scanning(request.get("imageScanningConfiguration") or {}),
        "encryptionConfiguration": _encryption(request),
    }
    pairs = pairs_of(request.get("tags") or ())
    made = registry_of(ctx).create(ctx.account, ctx.region, request["repositoryName"], settings, pairs)
    return {"repository": view(made)}


def _encryption(request: Members) -> Members:
    """Kept and told as it was asked for; what lies on the disk is not encrypted by it."""
    given = request.get("encryptionConfiguration") or {"encryptionType": "AES256"}
    if given["encryptionType"] == "AES256" and "kmsKey" in given:
        raise invalid("encryptionConfiguration", "kmsKey must not be specified when encryptionType is AES256")
    return dict(given)


@operation("DeleteRepository")
def delete_repository(ctx: Context, request: Members) -> Members:
    repository = repository_of(ctx, request, "DeleteRepository")
    registry_of(ctx).delete(repository, force=bool(request.get("force")))
    return {"repository": view(repository)}


@operation("DescribeRepositories", reads=True)
def describe_repositories(ctx: Context, request: Members) -> Members:
    """By name in the order asked for, or all in the order of their names."""
    account, names = account_of(ctx, request), request.get("repositoryNames")
    if names:
        if "nextToken" in request or "maxResults" in request:
            raise invalid("repositoryNames", "maxResults and nextToken cannot be used with repositoryNames")
        found = [
            repository_named(ctx, account, ctx.region, name, "DescribeRepositories") for name in dict.fromkeys(names)
        ]
        return {"repositories": [view(each) for each in found]}
    if account != ctx.account:
        raise AwsError("AccessDeniedException", f"The registry {account} is another account's.", 400)
    reader, token = ctx.parts.database.reader, request.get("nextToken")
    secret, question = records.page_secret(reader), ["DescribeRepositories", account, ctx.region]
    walk = Walk(
        "records",
        ("name",),
        conditions=("account = ?", "region = ?", "kind = ?"),
        arguments=(account, ctx.region, REPOSITORY),
    )
    after = tokens.unseal(secret, question, token) if token else None
    page = read_page(reader, walk, after=after, size=request.get("maxResults") or PAGE_DEFAULT)
    answer: Members = {"repositories": [view(of_record(records.from_row(row))) for row in page.rows]}
    if page.last is not None:
        answer["nextToken"] = tokens.seal(secret, question, page.last)
    return answer


def view(repository: Repository) -> Members:
    settings = repository.settings
    return {
        "repositoryArn": repository.arn,
        "registryId": repository.account,
        "repositoryName": repository.name,
        "repositoryUri": repository.uri,
        "createdAt": from_epoch(repository.created_at),
        "imageTagMutability": settings.get("imageTagMutability", "MUTABLE"),
        **(
            {"imageTagMutabilityExclusionFilters": filters}
            if (filters := settings.get("imageTagMutabilityExclusionFilters"))
            else {}
        ),
        "imageScanningConfiguration": settings.get("imageScanningConfiguration", {"scanOnPush": False}),
        "encryptionConfiguration": settings.get("encryptionConfiguration", {"encryptionType": "AES256"}),
    }
