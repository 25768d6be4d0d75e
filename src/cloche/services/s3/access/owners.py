"""Canonical users: how S3 names accounts in owners and grants.

Source: docs.aws.amazon.com/AmazonS3/latest/userguide/finding-canonical-user-id.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from cloche.aws.operation import Context, Members
from cloche.services.parts import Parts
from cloche.storage.objects import Bucket, ObjectStore

ANONYMOUS: Final = "anonymous"
"""Stands for an account where nobody signed."""
_ANONYMOUS_ID: Final = "65a011a29cdf8ec533ec3d1ccaae921c"
# docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html: "the canonical user ID for the anonymous user"
OWNERSHIPS: Final = ("BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced")
ENFORCED: Final = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
"""A new bucket's since April 2023 (…/userguide/about-object-ownership.html)."""


def canonical_id(store: ObjectStore, account: str) -> str:
    return _ANONYMOUS_ID if account == ANONYMOUS else store.accounts.canonical_id(account)


def account_of_id(ctx: Context, wanted: str) -> str:
    """The account of a canonical id; empty where no account here has it."""
    parts = cast(Parts, ctx.parts)
    found = parts.objects.accounts.account_of(wanted)
    if found:
        return found
    for each in parts.identity.accounts():  # an account that has never used S3 is met here
        if parts.objects.accounts.canonical_id(each.number) == wanted:
            return each.number
    return ""


def who(ctx: Context) -> str:
    """The account that asks."""
    return ANONYMOUS if ctx.caller.anonymous else ctx.caller.account


def owner_member(ctx: Context, account: str) -> dict[str, str]:
    """As S3 shows an owner. ``DisplayName`` is gone since November 2025 (docs.aws.amazon.com/AmazonS3/latest/API/
    API_Owner.html); a Cloche that is asked to be as S3 was before 2023 tells the account's name in it."""
    parts = cast(Parts, ctx.parts)
    member = {"ID": canonical_id(parts.objects, account)}
    if parts.settings.s3_before_2023 and account != ANONYMOUS:
        held = parts.identity.find(account)
        member["DisplayName"] = (held.about().name if held is not None else "") or account
    return member


def grantee_member(ctx: Context, canonical: str) -> dict[str, str]:
    account = account_of_id(ctx, canonical)
    return owner_member(ctx, account) if account else {"ID": canonical}


OwnerOf = Callable[[str], dict[str, str]]


def owner_of_each(ctx: Context, request: Members) -> OwnerOf:
    """For listings: from the owner in an object's details to the member that shows him."""
    bucket = cast(Parts, ctx.parts).objects.buckets.get(request["Bucket"])
    known: dict[str, dict[str, str]] = {}

    def shown(owner: str) -> dict[str, str]:
        account = object_owner(bucket, owner)
        if account not in known:
            known[account] = owner_member(ctx, account)
        return known[account]

    return shown


def ownership_of(bucket: Bucket) -> str:
    """The bucket's Object Ownership. A bucket that has none is of the time before there was any: ObjectWriter
    (docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html)."""
    rules = bucket.configuration.get("OwnershipControls", ENFORCED).get("Rules") or []
    return str(rules[0]["ObjectOwnership"]) if rules else "ObjectWriter"


def acls_count(bucket: Bucket) -> bool:
    return ownership_of(bucket) != "BucketOwnerEnforced"


def object_owner(bucket: Bucket, owner: str) -> str:
    """The account whose object it is, as things are set now; ``owner`` is what its details say."""
    return owner if owner and acls_count(bucket) else bucket.account
