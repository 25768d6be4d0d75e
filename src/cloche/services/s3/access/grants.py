"""Access control lists: what they grant, in the three forms in which S3 takes them.

A grant is kept as (permission, kind, grantee): ``("READ", "id", canonical id)`` or ``("READ", "group",
"AllUsers")``. An empty list stands for the default: its owner has full control.

Sources: docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html (canned lists, groups, permissions),
docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from cloche.aws.errors import AwsError
from cloche.aws.operation import Members
from cloche.services.s3.errors import invalid_argument, invalid_request, s3_error

Grant = tuple[str, str, str]
GRANTS_MAX: Final = 100  # acl-overview.html: "An ACL can have up to 100 grants"
PERMISSIONS: Final = ("FULL_CONTROL", "READ", "WRITE", "READ_ACP", "WRITE_ACP")
GROUPS: Final = {
    "AllUsers": "http://acs.amazonaws.com/groups/global/AllUsers",
    "AuthenticatedUsers": "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
    "LogDelivery": "http://acs.amazonaws.com/groups/s3/LogDelivery",
}
_GROUP_OF: Final = {uri: name for name, uri in GROUPS.items()}
PUBLIC: Final = ("AllUsers", "AuthenticatedUsers")
# acl-overview.html: the canonical user of Amazon EC2 that reads AMI bundles (aws-exec-read).
_EC2: Final = "6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c"

_HEADERS: Final = {
    "GrantFullControl": ("x-amz-grant-full-control", "FULL_CONTROL"),
    "GrantRead": ("x-amz-grant-read", "READ"),
    "GrantWrite": ("x-amz-grant-write", "WRITE"),
    "GrantReadACP": ("x-amz-grant-read-acp", "READ_ACP"),
    "GrantWriteACP": ("x-amz-grant-write-acp", "WRITE_ACP"),
}
_GRANTEE: Final = re.compile(r'\s*(id|uri|emailaddress)\s*=\s*(?:"([^"]*)"|([^",]*))\s*', re.IGNORECASE)
BUCKET_CANNED: Final = ("private", "public-read", "public-read-write", "authenticated-read", "log-delivery-write")
OBJECT_CANNED: Final = (
    "private", "public-read", "public-read-write", "authenticated-read", "aws-exec-read", "bucket-owner-read",
    "bucket-owner-full-control",
)  # fmt: skip
# A bucket also takes the canned lists that are for objects, and makes nothing of them (acl-overview.html: "If you
# specify this canned ACL when creating a bucket, Amazon S3 ignores it.").
_IGNORED_ON_BUCKETS: Final = ("bucket-owner-read", "bucket-owner-full-control", "aws-exec-read")


class Known(Protocol):
    """Whom a grant may name."""

    def __call__(self, canonical: str) -> bool:
        """Is that canonical id an account's here?"""
        ...

    @property
    def by_email(self) -> bool:
        """Are accounts looked up by their e-mail addresses, as S3 did until October 2025?"""
        ...


def asks_for_acl(request: Members) -> bool:
    """Does it say anything of an ACL?"""
    return any(request.get(member) for member in ("ACL", "AccessControlPolicy", *_HEADERS))


def canned(name: str, owner: str, bucket_owner: str, *, of_bucket: bool) -> tuple[Grant, ...]:
    """The grants of a canned list; ``owner`` and ``bucket_owner`` are canonical ids. Raises InvalidArgument."""
    if name not in OBJECT_CANNED and not (of_bucket and name in BUCKET_CANNED):
        raise invalid_argument("x-amz-acl", name, "")
    grants: list[Grant] = [("FULL_CONTROL", "id", owner)]
    if name in ("public-read", "public-read-write"):
        grants.append(("READ", "group", "AllUsers"))
    if name == "public-read-write":
        grants.append(("WRITE", "group", "AllUsers"))
    if name == "authenticated-read":
        grants.append(("READ", "group", "AuthenticatedUsers"))
    if name == "log-delivery-write":
        grants += [("WRITE", "group", "LogDelivery"), ("READ_ACP", "group", "LogDelivery")]
    if of_bucket and name in _IGNORED_ON_BUCKETS:
        return tuple(grants)
    if name == "aws-exec-read":
        grants.append(("READ", "id", _EC2))
    if bucket_owner != owner and name == "bucket-owner-read":
        grants.append(("READ", "id", bucket_owner))
    if bucket_owner != owner and name == "bucket-owner-full-control":
        grants.append(("FULL_CONTROL", "id", bucket_owner))
    return tuple(grants)


def from_headers(request: Members, known: Known) -> tuple[Grant, ...]:
    """The grants of ``x-amz-grant-*`` headers. Raises InvalidArgument."""
    grants: list[Grant] = []
    for member, (header, permission) in _HEADERS.items():
        value = request.get(member)
        if not value:
            continue
        at = 0
        while at < len(value):
            found = _GRANTEE.match(value, at)
            if found is None or (found.end() < len(value) and value[found.end()] != ","):
                raise invalid_argument(header, value, "Argument format not recognized")
            given = found[2] if found[2] is not None else found[3].strip()
            grants.append((permission, *_grantee(found[1].lower(), given, known)))
            at = found.end() + 1
    return _bounded(grants)


def from_document(policy: Mapping[str, Any], known: Known) -> tuple[Grant, ...]:
    """The grants of an ``AccessControlPolicy``. Raises MalformedACLError and InvalidArgument."""
    grants: list[Grant] = []
    for each in policy.get("Grants") or ():
        grantee, permission = each.get("Grantee") or {}, each.get("Permission")
        if permission not in PERMISSIONS or not grantee:
            raise s3_error("MalformedACLError")
        forms = {"CanonicalUser": ("id", "ID"), "Group": ("uri", "URI"), "AmazonCustomerByEmail": ("emailaddress", "")}
        kind, member = forms.get(grantee.get("Type", ""), ("", ""))
        if not kind or (member and not grantee.get(member)):
            raise s3_error("MalformedACLError")
        grants.append((permission, *_grantee(kind, grantee.get(member, ""), known)))
    return _bounded(grants)


def _bounded(grants: list[Grant]) -> tuple[Grant, ...]:
    if len(grants) > GRANTS_MAX:
        raise invalid_request(f"The request has more grants than the {GRANTS_MAX} that an ACL can have")
    return tuple(dict.fromkeys(grants))


def _grantee(kind: str, given: str, known: Known) -> tuple[str, str]:
    if kind == "emailaddress" and known.by_email:
        # No account here has an e-mail address, so none is found by one.
        raise s3_error("UnresolvableGrantByEmailAddress")
    if kind == "emailaddress":
        # API_PutObjectAcl.html: since October 2025 "you receive an HTTP 405 (Method Not Allowed) error" for these.
        raise AwsError("MethodNotAllowed", "The specified method is not allowed against this resource.", 405)
    if kind == "uri":
        if given not in _GROUP_OF:
            raise invalid_argument("uri", given, "Invalid group uri")
        return "group", _GROUP_OF[given]
    if given != _EC2 and not known(given):
        raise invalid_argument("CanonicalUser/ID", given, "Invalid id")
    return "id", given


def view(grants: Iterable[Sequence[str]], owner: str, member: Callable[[str], dict[str, str]]) -> list[Members]:
    """``Grants`` as S3 tells them; ``owner`` is a canonical id, ``member`` shows one."""
    shown = []
    for permission, kind, name in grants or [("FULL_CONTROL", "id", owner)]:
        if kind == "none":  # all grants were taken away, the owner's included
            continue
        who = {**member(name), "Type": "CanonicalUser"} if kind == "id" else {"URI": GROUPS[name], "Type": "Group"}
        shown.append({"Grantee": who, "Permission": permission})
    return shown


def is_public(grants: Iterable[Sequence[str]]) -> bool:
    """docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html, "The meaning of
    public": any permission to either group."""
    return any(kind == "group" and name in PUBLIC for _, kind, name in grants)


def allows(
    grants: Iterable[Sequence[str]], owner: str, asker: str, permission: str, *, signed: bool, public_counts: bool
) -> bool:
    """Does a list with that ``owner`` grant ``permission`` to ``asker`` (canonical ids)?"""
    for granted, kind, name in grants or [("FULL_CONTROL", "id", owner)]:
        if granted not in (permission, "FULL_CONTROL"):
            continue
        if kind == "id" and signed and name == asker:
            return True
        if kind == "group" and public_counts and (name == "AllUsers" or (name == "AuthenticatedUsers" and signed)):
            return True
    return False
