"""OpenID Connect providers: who may vouch for callers of AssumeRoleWithWebIdentity.

IAM fetches a provider's certificate where no thumbprint is given. Cloche reaches nobody: it keeps what it is given.
IAM's sentences: unfunco/terraform-aws-oidc-github#23 (there already), moto's tests of OpenID Connect providers.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.identity import words
from cloche.engines.identity.entities import Thing
from cloche.engines.identity.things import Details
from cloche.engines.identity.web_identity import provider_name
from cloche.foundation.errors import NotFound
from cloche.services.iam.errors import invalid_input
from cloche.services.iam.naming import mine
from cloche.services.iam.views import tags_of, view_tags

KIND: Final = "oidc-provider"
PROVIDERS_MAX: Final = 100
CLIENTS_MAX: Final = 100
THUMBPRINTS_MAX: Final = 5
NOT_HEEDED: Final = ("ContextProvider", "IdentityCenterInstanceArn")


def provider_of(ctx: Context, arn: str) -> Thing:
    """Raises ``NotFound``."""
    found = mine(ctx).things.find(KIND, arn.partition("/")[2])
    if found is None or found.arn != arn:
        raise NotFound(f"OpenIDConnect Provider not found for arn {arn}")
    return found


@operation("CreateOpenIDConnectProvider")
def create_open_id_connect_provider(ctx: Context, request: Members) -> Members:
    for member in NOT_HEEDED:
        if member in request:
            raise words.not_supported(member)
    url, clients = request["Url"], request.get("ClientIDList") or []
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or parts.port not in (None, 443):
        raise AwsError("ValidationError", "Invalid Open ID Connect Provider URL", 400)
    details = {"client_ids": _clients(clients), "thumbprints": _thumbprints(request.get("ThumbprintList") or [])}
    made = mine(ctx).things.create(
        KIND,
        provider_name(url),
        details,
        tags=tags_of(request),
        exists=f"Provider with url {url} already exists.",
        quota=("OpenIdConnectProvidersPerAccount", PROVIDERS_MAX),
    )
    answer: Members = {"OpenIDConnectProviderArn": made.arn}
    if made.tags:
        answer["Tags"] = view_tags(made.tags)
    return answer


@operation("GetOpenIDConnectProvider", reads=True)
def get_open_id_connect_provider(ctx: Context, request: Members) -> Members:
    found = provider_of(ctx, request["OpenIDConnectProviderArn"])
    return {
        "Url": found.name,
        "ClientIDList": found.details["client_ids"],
        "ThumbprintList": found.details["thumbprints"],
        "CreateDate": found.created_at,
        "Tags": view_tags(found.tags),
    }


@operation("ListOpenIDConnectProviders", reads=True)
def list_open_id_connect_providers(ctx: Context, request: Members) -> Members:
    return {"OpenIDConnectProviderList": [{"Arn": each.arn} for each in mine(ctx).things.all(KIND)]}


@operation("UpdateOpenIDConnectProviderThumbprint")
def update_open_id_connect_provider_thumbprint(ctx: Context, request: Members) -> None:
    thumbprints = _thumbprints(request["ThumbprintList"])
    found = provider_of(ctx, request["OpenIDConnectProviderArn"])
    mine(ctx).things.change(found, lambda details: {**details, "thumbprints": thumbprints})


@operation("AddClientIDToOpenIDConnectProvider")
def add_client_id_to_open_id_connect_provider(ctx: Context, request: Members) -> None:
    """Adding one that is there changes nothing."""

    def add(details: Details) -> Details:
        held = details["client_ids"]
        more = [] if request["ClientID"] in held else [request["ClientID"]]
        return {**details, "client_ids": _clients([*held, *more])}

    mine(ctx).things.change(provider_of(ctx, request["OpenIDConnectProviderArn"]), add)


@operation("RemoveClientIDFromOpenIDConnectProvider")
def remove_client_id_from_open_id_connect_provider(ctx: Context, request: Members) -> None:
    """Removing one that is not there changes nothing."""

    def remove(details: Details) -> Details:
        return {**details, "client_ids": [each for each in details["client_ids"] if each != request["ClientID"]]}

    mine(ctx).things.change(provider_of(ctx, request["OpenIDConnectProviderArn"]), remove)


@operation("DeleteOpenIDConnectProvider")
def delete_open_id_connect_provider(ctx: Context, request: Members) -> None:
    """Deleting one that is not there succeeds (API_DeleteOpenIDConnectProvider: "idempotent")."""
    try:
        mine(ctx).things.delete(provider_of(ctx, request["OpenIDConnectProviderArn"]))
    except NotFound:
        return


def _clients(given: list[str]) -> list[str]:
    if len(given) > CLIENTS_MAX:
        raise words.quota("ClientIdsPerOpenIdConnectProvider", CLIENTS_MAX)
    return given


def _thumbprints(given: list[str]) -> list[str]:
    if len(given) > THUMBPRINTS_MAX:
        raise invalid_input(f"Thumbprint list must contain fewer than {THUMBPRINTS_MAX} entries.")
    return [each.lower() for each in given]
