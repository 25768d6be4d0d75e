"""Lifecycle policies: put, shown, tried out beforehand."""

from __future__ import annotations

from typing import Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.engines.image_registry import Repository
from cloche.engines.image_registry.lifecycle import Preview
from cloche.foundation.clock import from_epoch
from cloche.services.ecr.access import registry_of, repository_of
from cloche.storage.metadata import records

PAGE_DEFAULT: Final = 100
"""API_GetLifecyclePolicyPreview.html"""


@operation("PutLifecyclePolicy")
def put_lifecycle_policy(ctx: Context, request: Members) -> Members:
    repository = repository_of(ctx, request, "PutLifecyclePolicy")
    registry_of(ctx).lifecycles.put(repository, request["lifecyclePolicyText"])
    return {**_place(repository), "lifecyclePolicyText": request["lifecyclePolicyText"]}


@operation("GetLifecyclePolicy", reads=True)
def get_lifecycle_policy(ctx: Context, request: Members) -> Members:
    return _policy(ctx, repository_of(ctx, request, "GetLifecyclePolicy"))


@operation("DeleteLifecyclePolicy")
def delete_lifecycle_policy(ctx: Context, request: Members) -> Members:
    repository = repository_of(ctx, request, "DeleteLifecyclePolicy")
    answer = _policy(ctx, repository)
    registry_of(ctx).lifecycles.delete(repository)
    return answer


@operation("StartLifecyclePolicyPreview")
def start_lifecycle_policy_preview(ctx: Context, request: Members) -> Members:
    """Of the policy given, or the repository's own. It is complete when this answers."""
    repository = repository_of(ctx, request, "StartLifecyclePolicyPreview")
    text = request.get("lifecyclePolicyText") or _policy(ctx, repository)["lifecyclePolicyText"]
    made = registry_of(ctx).lifecycles.preview(repository, text)
    return {**_place(repository), "lifecyclePolicyText": made.text, "status": "COMPLETE"}


@operation("GetLifecyclePolicyPreview", reads=True)
def get_lifecycle_policy_preview(ctx: Context, request: Members) -> Members:
    repository = repository_of(ctx, request, "GetLifecyclePolicyPreview")
    made = registry_of(ctx).lifecycles.previewed(repository)
    if made is None:
        raise AwsError(
            "LifecyclePolicyPreviewNotFoundException",
            f"Lifecycle policy preview does not exist for the repository with name '{repository.name}' in the registry"
            f" with id '{repository.account}'",
        )
    return {
        **_place(repository),
        "lifecyclePolicyText": made.text,
        "status": "COMPLETE",
        **_results(ctx, repository, made, request),
        "summary": {"expiringImageTotalCount": len(made.results)},
    }


def _results(ctx: Context, repository: Repository, made: Preview, request: Members) -> Members:
    asked, status = request.get("imageIds"), (request.get("filter") or {}).get("tagStatus")
    digests = {each.get("imageDigest") for each in asked or ()}
    tags = {each.get("imageTag") for each in asked or ()}
    found = [
        each
        for each in made.results
        if (not asked or each["digest"] in digests or not tags.isdisjoint(each["tags"]))
        and status in (None, "ANY", "TAGGED" if each["tags"] else "UNTAGGED")
    ]
    secret, token = records.page_secret(ctx.parts.database.reader), request.get("nextToken")
    question = ["GetLifecyclePolicyPreview", repository.id, made.text, asked, request.get("filter")]
    start = tokens.unseal(secret, question, token)[0] if token else 0
    end = start + (request.get("maxResults") or PAGE_DEFAULT)
    answer: Members = {
        "previewResults": [
            {
                "imageTags": each["tags"],
                "imageDigest": each["digest"],
                "imagePushedAt": from_epoch(each["pushed_at"]),
                "action": {"type": "EXPIRE"},
                "appliedRulePriority": each["priority"],
            }
            for each in found[start:end]
        ]
    }
    if end < len(found):
        answer["nextToken"] = tokens.seal(secret, question, (end,))
    return answer


def _policy(ctx: Context, repository: Repository) -> Members:
    held = registry_of(ctx).lifecycles.get(repository)
    if held is None:
        raise AwsError(  # getmoto/moto, moto/ecr/exceptions.py
            "LifecyclePolicyNotFoundException",
            f"Lifecycle policy does not exist for the repository with name '{repository.name}' in the registry with id"
            f" '{repository.account}'",
        )
    evaluated = {} if held.evaluated_at is None else {"lastEvaluatedAt": from_epoch(held.evaluated_at)}
    return {**_place(repository), "lifecyclePolicyText": held.text, **evaluated}


def _place(repository: Repository) -> Members:
    return {"registryId": repository.account, "repositoryName": repository.name}
