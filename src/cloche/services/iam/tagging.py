"""Tags of everything in IAM that has them: one line for each operation of the eight nouns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.engines.identity.entities import Kind, Tags, Thing
from cloche.services.iam.certificates import certificate_of
from cloche.services.iam.mfa_device import device_of
from cloche.services.iam.naming import mine
from cloche.services.iam.oidc_provider import provider_of as oidc_provider_of
from cloche.services.iam.paging import cut, paged
from cloche.services.iam.saml_provider import provider_of as saml_provider_of
from cloche.services.iam.views import tags_of, view_tags


@dataclass(frozen=True, slots=True)
class Tagged:
    """A noun: the member that names one, and how its tags are read and changed."""

    member: str
    read: Callable[[Context, str], Tags]
    add: Callable[[Context, str, Tags], None]
    remove: Callable[[Context, str, tuple[str, ...]], None]


def _principal(kind: Kind, member: str) -> Tagged:
    return Tagged(
        member,
        lambda ctx, name: mine(ctx).entities.get(kind, name).tags,
        lambda ctx, name, tags: mine(ctx).entities.tag(kind, name, tags),
        lambda ctx, name, keys: mine(ctx).entities.untag(kind, name, keys),
    )


def _thing(member: str, find: Callable[[Context, str], Thing]) -> Tagged:
    return Tagged(
        member,
        lambda ctx, name: find(ctx, name).tags,
        lambda ctx, name, tags: mine(ctx).things.retag(find(ctx, name), add=tags),
        lambda ctx, name, keys: mine(ctx).things.retag(find(ctx, name), remove=keys),
    )


ROLE: Final = _principal("role", "RoleName")
USER: Final = _principal("user", "UserName")
PROFILE: Final = _principal("instance-profile", "InstanceProfileName")
MFA: Final = _thing("SerialNumber", device_of)
OIDC: Final = _thing("OpenIDConnectProviderArn", oidc_provider_of)
SAML: Final = _thing("SAMLProviderArn", saml_provider_of)
CERTIFICATE: Final = _thing("ServerCertificateName", certificate_of)
POLICY: Final = Tagged(
    "PolicyArn",
    lambda ctx, arn: mine(ctx).policies.get(arn).tags,
    lambda ctx, arn, tags: mine(ctx).policies.tag(arn, tags),
    lambda ctx, arn, keys: mine(ctx).policies.untag(arn, keys),
)


def _tag(noun: Tagged, ctx: Context, request: Members) -> None:
    noun.add(ctx, request[noun.member], tags_of(request))


def _untag(noun: Tagged, ctx: Context, request: Members) -> None:
    noun.remove(ctx, request[noun.member], tuple(request["TagKeys"]))


def _list(noun: Tagged, ctx: Context, request: Members) -> Any:
    found, end = cut(noun.read(ctx, request[noun.member]), request, lambda each: each[0])
    return paged("Tags", view_tags(tuple(found)), end)


tag_role = operation("TagRole")(lambda ctx, request: _tag(ROLE, ctx, request))
untag_role = operation("UntagRole")(lambda ctx, request: _untag(ROLE, ctx, request))
list_role_tags = operation("ListRoleTags", reads=True)(lambda ctx, request: _list(ROLE, ctx, request))

tag_user = operation("TagUser")(lambda ctx, request: _tag(USER, ctx, request))
untag_user = operation("UntagUser")(lambda ctx, request: _untag(USER, ctx, request))
list_user_tags = operation("ListUserTags", reads=True)(lambda ctx, request: _list(USER, ctx, request))

tag_policy = operation("TagPolicy")(lambda ctx, request: _tag(POLICY, ctx, request))
untag_policy = operation("UntagPolicy")(lambda ctx, request: _untag(POLICY, ctx, request))
list_policy_tags = operation("ListPolicyTags", reads=True)(lambda ctx, request: _list(POLICY, ctx, request))

tag_instance_profile = operation("TagInstanceProfile")(lambda ctx, request: _tag(PROFILE, ctx, request))
untag_instance_profile = operation("UntagInstanceProfile")(lambda ctx, request: _untag(PROFILE, ctx, request))
list_instance_profile_tags = operation("ListInstanceProfileTags", reads=True)(
    lambda ctx, request: _list(PROFILE, ctx, request)
)

tag_mfa_device = operation("TagMFADevice")(lambda ctx, request: _tag(MFA, ctx, request))
untag_mfa_device = operation("UntagMFADevice")(lambda ctx, request: _untag(MFA, ctx, request))
list_mfa_device_tags = operation("ListMFADeviceTags", reads=True)(lambda ctx, request: _list(MFA, ctx, request))

tag_open_id_connect_provider = operation("TagOpenIDConnectProvider")(lambda ctx, request: _tag(OIDC, ctx, request))
untag_open_id_connect_provider = operation("UntagOpenIDConnectProvider")(
    lambda ctx, request: _untag(OIDC, ctx, request)
)
list_open_id_connect_provider_tags = operation("ListOpenIDConnectProviderTags", reads=True)(
    lambda ctx, request: _list(OIDC, ctx, request)
)

tag_saml_provider = operation("TagSAMLProvider")(lambda ctx, request: _tag(SAML, ctx, request))
untag_saml_provider = operation("UntagSAMLProvider")(lambda ctx, request: _untag(SAML, ctx, request))
list_saml_provider_tags = operation("ListSAMLProviderTags", reads=True)(lambda ctx, request: _list(SAML, ctx, request))

tag_server_certificate = operation("TagServerCertificate")(lambda ctx, request: _tag(CERTIFICATE, ctx, request))
untag_server_certificate = operation("UntagServerCertificate")(lambda ctx, request: _untag(CERTIFICATE, ctx, request))
list_server_certificate_tags = operation("ListServerCertificateTags", reads=True)(
    lambda ctx, request: _list(CERTIFICATE, ctx, request)
)
