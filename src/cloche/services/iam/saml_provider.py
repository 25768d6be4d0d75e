"""SAML providers, kept as data: their documents are read for issuer and validity, and given back as they came."""

from __future__ import annotations

import secrets
import string
from datetime import UTC, datetime
from typing import Any, Final
from xml.etree import ElementTree

from cloche.aws.operation import Context, Members, operation
from cloche.engines.identity import words
from cloche.engines.identity.entities import Thing
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import NotFound
from cloche.services.iam.errors import invalid_input
from cloche.services.iam.naming import mine
from cloche.services.iam.views import tags_of, view_tags

KIND: Final = "saml-provider"
PROVIDERS_MAX: Final = 100
NOT_HEEDED: Final = (
    "AssertionEncryptionMode", "AddPrivateKey", "RemovePrivateKey", "ContextProvider", "IdentityCenterInstanceArn",
    "RemoveContextProvider", "RemoveIdentityCenterInstance",
)  # fmt: skip
METADATA: Final = "{urn:oasis:names:tc:SAML:2.0:metadata}EntityDescriptor"


def provider_of(ctx: Context, arn: str) -> Thing:
    """Raises ``NotFound``."""
    found = mine(ctx).things.find(KIND, arn.rpartition("/")[2])
    if found is None or found.arn != arn:
        raise NotFound(f"Manifest not found for arn {arn}")
    return found


@operation("CreateSAMLProvider")
def create_saml_provider(ctx: Context, request: Members) -> Members:
    _refuse(request)
    details = {**_read(request["SAMLMetadataDocument"]), "uuid": _uuid()}
    made = mine(ctx).things.create(
        KIND,
        request["Name"],
        details,
        tags=tags_of(request),
        exists=f"SAMLProvider entity {request['Name']} already exists.",
        quota=("SAMLProvidersPerAccount", PROVIDERS_MAX),
    )
    answer: Members = {"SAMLProviderArn": made.arn}
    if made.tags:
        answer["Tags"] = view_tags(made.tags)
    return answer


@operation("GetSAMLProvider", reads=True)
def get_saml_provider(ctx: Context, request: Members) -> Members:
    found = provider_of(ctx, request["SAMLProviderArn"])
    return {
        "SAMLProviderUUID": found.details["uuid"],
        "SAMLMetadataDocument": found.details["document"],
        "CreateDate": found.created_at,
        **_valid_until(found),
        "Tags": view_tags(found.tags),
    }


@operation("ListSAMLProviders", reads=True)
def list_saml_providers(ctx: Context, request: Members) -> Members:
    found = mine(ctx).things.all(KIND)
    return {
        "SAMLProviderList": [{"Arn": each.arn, "CreateDate": each.created_at, **_valid_until(each)} for each in found]
    }


@operation("UpdateSAMLProvider")
def update_saml_provider(ctx: Context, request: Members) -> Members:
    _refuse(request)
    found = provider_of(ctx, request["SAMLProviderArn"])
    if "SAMLMetadataDocument" in request:
        read = _read(request["SAMLMetadataDocument"])
        mine(ctx).things.change(found, lambda details: {"uuid": details["uuid"], **read})
    return {"SAMLProviderArn": found.arn}


@operation("DeleteSAMLProvider")
def delete_saml_provider(ctx: Context, request: Members) -> None:
    mine(ctx).things.delete(provider_of(ctx, request["SAMLProviderArn"]))


def _read(document: str) -> dict[str, Any]:
    """Raises ``InvalidInput`` for what is no metadata of an identity provider. Document types are not read."""
    try:
        if "<!DOCTYPE" in document or "<!ENTITY" in document:
            raise ValueError
        root = ElementTree.fromstring(document)  # noqa: S314 - without document types there are no entities
        if root.tag != METADATA or not root.get("entityID"):
            raise ValueError
        until = root.get("validUntil")
        moment = None if until is None else datetime.fromisoformat(until).replace(tzinfo=UTC).timestamp()
    except (ElementTree.ParseError, ValueError):
        raise invalid_input("Could not parse metadata") from None
    return {"document": document, "issuer": root.get("entityID"), "valid_until": moment}


def _valid_until(found: Thing) -> Members:
    until = found.details.get("valid_until")
    return {} if until is None else {"ValidUntil": from_epoch(until)}


def _uuid() -> str:
    """The form of ids that IAM gives to providers: upper-case letters and digits."""
    return "SAML" + "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(17))


def _refuse(request: Members) -> None:
    for member in NOT_HEEDED:
        if request.get(member):
            raise words.not_supported(member)
