"""Public-access blocks, and what "public" means of a policy.

Source: docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html. The most restrictive
of the account's and the bucket's settings holds.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from cloche.storage.objects import Bucket, ObjectStore
from cloche.storage.objects.accounts import PUBLIC_ACCESS_BLOCK

SWITCHES: Final = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
NEW_BUCKET: Final = dict.fromkeys(SWITCHES, True)
"""A new bucket's since April 2023 (…/userguide/access-control-block-public-access.html)."""

BEFORE_2023: Final = {"PublicAccessBlock": {}, "OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}}
"""What a bucket made before April 2023 had (docs.aws.amazon.com/AmazonS3/latest/userguide/create-bucket-faq.html)."""

# "The meaning of public", "Policies": fixed values of these make a statement non-public.
_NARROWING: Final = frozenset(
    {
        "aws:sourceip", "aws:sourcearn", "aws:sourcevpc", "aws:sourcevpce", "aws:sourceowner", "aws:sourceaccount",
        "aws:userid", "aws:principalorgid", "aws:principalorgpaths", "aws:principalaccount", "aws:principalarn",
        "aws:vpcsourceip", "s3:x-amz-server-side-encryption-aws-kms-key-id", "s3:dataaccesspointarn",
        "s3:dataaccesspointaccount",
    }
)  # fmt: skip
_POSITIVE: Final = ("stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "ipaddress")
_NETWORK_BITS_MIN: Final = {4: 8, 6: 32}
"""Broader ranges of addresses than these count as everybody's (ibid.: "0.0.0.0/1" and the like are public)."""


def switch(store: ObjectStore, bucket: Bucket | None, name: str, account: str = "") -> bool:
    """Is that switch on for the bucket (or, where there is none yet, for the account)?"""
    if bucket is not None and (bucket.configuration.get("PublicAccessBlock", NEW_BUCKET) or {}).get(name):
        return True
    of_account = store.accounts.setting(bucket.account if bucket is not None else account, PUBLIC_ACCESS_BLOCK)
    return bool((of_account or {}).get(name))


@lru_cache(maxsize=512)
def is_public_policy(text: str) -> bool:
    """Does a valid bucket policy let everybody do anything?"""
    statements = json.loads(text)["Statement"]
    listed = statements if isinstance(statements, list) else [statements]
    return any(_is_public(each) for each in listed)


def _is_public(statement: Mapping[str, Any]) -> bool:
    if statement["Effect"] != "Allow":
        return False
    if "NotPrincipal" not in statement and not _means_everybody(statement.get("Principal")):
        return False
    conditions = statement.get("Condition") or {}
    return not any(
        _narrows(operator, key, values) for operator, keys in conditions.items() for key, values in keys.items()
    )


def _means_everybody(principal: Any) -> bool:
    if principal == "*":
        return True
    ids = (principal or {}).get("AWS", ())
    return "*" in (ids if isinstance(ids, list) else [ids])


def _narrows(operator: str, key: str, values: Any) -> bool:
    plain = operator.lower().removeprefix("foranyvalue:")
    if key.lower() not in _NARROWING or plain not in _POSITIVE:
        return False
    listed = values if isinstance(values, list) else [values]
    return bool(listed) and all(_is_fixed(key.lower(), str(value)) for value in listed)


def _is_fixed(key: str, value: str) -> bool:
    if key in ("aws:sourceip", "aws:vpcsourceip"):
        try:
            network = ipaddress.ip_network(value, strict=False)
        except ValueError:
            return False
        return network.prefixlen >= _NETWORK_BITS_MIN[network.version]
    if "${" in value:
        return False
    if key == "aws:sourcearn" and value.count(":") >= 5:
        account = value.split(":")[4]
        return account != "" and "*" not in account and "?" not in account
    return "*" not in value and "?" not in value
