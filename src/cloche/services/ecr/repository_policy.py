"""A repository's policy: who of other accounts may use it, and what nobody may."""

from __future__ import annotations

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.image_registry import Repository
from cloche.services.ecr.access import is_policy, registry_of, repository_of
from cloche.services.ecr.errors import invalid


@operation("SetRepositoryPolicy")
def set_repository_policy(ctx: Context, request: Members) -> Members:
    repository = repository_of(ctx, request, "SetRepositoryPolicy")
    text = request["policyText"]
    if not is_policy(text):
        # getmoto/moto, moto/ecr/models.py, recorded of AWS
        raise invalid("PolicyText", "Invalid repository policy provided")
    registry_of(ctx).change(repository, policy=text)
    return _view(repository, text)


@operation("GetRepositoryPolicy", reads=True)
def get_repository_policy(ctx: Context, request: Members) -> Members:
    repository = repository_of(ctx, request, "GetRepositoryPolicy")
    return _view(repository, _text(repository))


@operation("DeleteRepositoryPolicy")
def delete_repository_policy(ctx: Context, request: Members) -> Members:
    repository = repository_of(ctx, request, "DeleteRepositoryPolicy")
    text = _text(repository)
    registry_of(ctx).change(repository, policy=None)
    return _view(repository, text)


def _text(repository: Repository) -> str:
    text = repository.settings.get("policy")
    if not text:
        raise AwsError(  # getmoto/moto, moto/ecr/exceptions.py
            "RepositoryPolicyNotFoundException",
            f"Repository policy does not exist for the repository with name '{repository.name}' in the registry with"
            f" id '{repository.account}'",
        )
    return str(text)


def _view(repository: Repository, text: str) -> Members:
    return {"registryId": repository.account, "repositoryName": repository.name, "policyText": text}
