"""Is this a bucket policy? In S3's own words.

Words and code (all MalformedPolicy, 400) as clients saw them: "Policies must be valid JSON and the first byte must be
'{'" (aws/aws-cli#7037), "Missing required field Principal" (hashicorp/terraform#28688), "Invalid principal in policy"
(cloud-custodian/cloud-custodian#4948), "Policy has invalid resource" (aws-samples/aws-serverless-appsync-app#4,
noobaa/noobaa-core#10058), "Action does not apply to any resource(s) in statement" (humanmade/S3-Uploads#239),
"Policy has invalid action" (minio/minio#9717), "Conditions do not apply to combination of actions and resources in
statement" (humanmade/S3-Uploads#239), "Invalid effect" and the further fields by analogy of the first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.engines.identity.policy.conditions import OPERATORS, as_text, parse_operator
from cloche.engines.identity.policy.document import Document, compile_document
from cloche.services.s3.access.actions import BUCKET_ACTIONS, OBJECT_ACTIONS

POLICY_BYTES_MAX: Final = 20 * 1024  # docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html
_KEYS: Final = frozenset({"Version", "Id", "Statement"})
_STATEMENT_KEYS: Final = frozenset(
    {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
)
_ARN: Final = re.compile(
    r"arn:(aws|aws-cn|aws-us-gov):(?:iam|sts)::(\d{12}):(root|(?:user|role|assumed-role|federated-user)/.+)"
)
_SERVICE: Final = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(?:\.cn)?")


def malformed(message: str) -> AwsError:
    return AwsError("MalformedPolicy", message, 400)


def validate_bucket_policy(text: str, bucket: str, exists: Callable[[str, str], bool]) -> None:
    """Raises MalformedPolicy (or InvalidArgument for one that is too long). ``exists(kind, id)`` tells whether a
    principal (``arn``, ``account`` or ``canonical``) is somebody."""
    if len(text.encode()) > POLICY_BYTES_MAX:
        raise malformed(f"Policy exceeds the maximum allowed document size of {POLICY_BYTES_MAX} bytes")
    document = _parsed(text)
    if not document.keys() <= _KEYS:
        raise malformed(f"Unknown field {sorted(document.keys() - _KEYS)[0]}")
    if document.get("Version", "2008-10-17") not in ("2012-10-17", "2008-10-17"):
        raise malformed("The policy must contain a valid version string")
    if "Statement" not in document:
        raise malformed("Missing required field Statement")
    statements = _list(document["Statement"])
    if not statements:
        raise malformed("Could not parse the policy: Statement is empty!")
    seen: set[str] = set()
    for each in statements:
        if not isinstance(each, dict):
            raise malformed("Invalid policy syntax.")
        _check_statement(each, bucket, exists)
        sid = each.get("Sid")
        if sid and sid in seen:
            raise malformed("Statement IDs (SID) in a single policy must be unique.")
        seen.add(sid or "")


def _parsed(text: str) -> Mapping[str, Any]:
    if not text.startswith("{"):
        raise malformed("Policies must be valid JSON and the first byte must be '{'")
    try:
        document = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise malformed("This policy contains invalid Json") from None
    if not isinstance(document, dict):
        raise malformed("Policies must be valid JSON and the first byte must be '{'")
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise malformed("Duplicate fields in policy")
    return dict(pairs)


def _check_statement(each: Mapping[str, Any], bucket: str, exists: Callable[[str, str], bool]) -> None:
    if not each.keys() <= _STATEMENT_KEYS:
        raise malformed(f"Unknown field {sorted(each.keys() - _STATEMENT_KEYS)[0]}")
    if "Effect" not in each:
        raise malformed("Missing required field Effect")
    if each["Effect"] not in ("Allow", "Deny"):
        raise malformed(f"Invalid effect: {each['Effect']}")
    for name in ("Principal", "Action", "Resource"):
        if name in each and f"Not{name}" in each:
            raise malformed("Invalid policy syntax.")
        if name not in each and f"Not{name}" not in each:
            raise malformed(f"Missing required field {name}")
    if each["Effect"] == "Allow" and "NotPrincipal" in each:
        # docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html: with Deny only
        raise malformed("Allow with NotPrincipal is not allowed.")
    if not isinstance(each.get("Sid", ""), str):
        raise malformed("Invalid policy syntax.")
    _check_principal(each.get("Principal", each.get("NotPrincipal")), exists)
    _check_resources(_texts(each, "Resource"), bucket)
    _check_actions(each, bucket)
    _check_condition(each.get("Condition") or {})


def _texts(each: Mapping[str, Any], name: str) -> list[str]:
    values = _list(each.get(name, each.get(f"Not{name}")))
    if not values or not all(isinstance(value, str) and value for value in values):
        raise malformed("Policy has invalid " + name.lower())
    return [str(value) for value in values]


def _check_principal(principal: Any, exists: Callable[[str, str], bool]) -> None:
    if principal == "*":
        return
    if not isinstance(principal, dict) or not principal:
        raise malformed("Invalid principal in policy")
    for kind, ids in principal.items():
        for name in _list(ids):
            if not isinstance(name, str) or not _is_principal(kind, name, exists):
                raise malformed("Invalid principal in policy")


def _is_principal(kind: str, name: str, exists: Callable[[str, str], bool]) -> bool:
    if kind == "Service":
        return _SERVICE.fullmatch(name) is not None
    if kind == "Federated":
        return bool(name)
    if kind == "CanonicalUser":
        return exists("canonical", name)
    if kind != "AWS":
        return False
    if name == "*":
        return True
    if re.fullmatch(r"\d{12}", name):
        return exists("account", name)
    found = _ARN.fullmatch(name)
    return found is not None and "*" not in name and exists("arn", name)


def _check_resources(resources: Iterable[str], bucket: str) -> None:
    """All about this bucket. Wildcards may stand in the bucket's part where they cover its name."""
    for resource in resources:
        found = re.fullmatch(r"arn:(?:aws|aws-cn|aws-us-gov):s3:::([^/]*)(/.*)?", resource, re.DOTALL)
        if found is None:
            raise malformed("Policy has invalid resource")
        pattern = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in found[1])
        if "${" not in found[1] and not re.fullmatch(pattern, bucket):
            raise malformed("Policy has invalid resource")


def _check_actions(each: Mapping[str, Any], bucket: str) -> None:
    actions = _texts(each, "Action")
    on_bucket, on_objects = False, False
    for action in actions:
        if action == "*":
            on_bucket = on_objects = True
            continue
        known_bucket, known_object = _kinds(action.lower())
        if not (known_bucket or known_object):
            raise malformed("Policy has invalid action")
        on_bucket, on_objects = on_bucket or known_bucket, on_objects or known_object
    if "Action" not in each or "Resource" not in each:
        return
    resources = _list(each["Resource"])
    of_objects = any("/" in r or r.endswith("*") for r in resources)
    of_bucket = any("/" not in r for r in resources)
    for action in actions:
        first, second = (True, True) if action == "*" else _kinds(action.lower())
        if not ((first and of_bucket) or (second and of_objects)):
            raise malformed("Action does not apply to any resource(s) in statement")


@lru_cache(maxsize=512)
def _kinds(action: str) -> tuple[bool, bool]:
    """Whether that pattern means any action on buckets, any on objects."""
    pattern = re.compile("".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in action))
    return (
        any(pattern.fullmatch(each.lower()) for each in BUCKET_ACTIONS),
        any(pattern.fullmatch(each.lower()) for each in OBJECT_ACTIONS),
    )


def _check_condition(condition: Any) -> None:
    if not isinstance(condition, dict):
        raise malformed("Invalid policy syntax.")
    for name, keys in condition.items():
        parsed = parse_operator(name)
        if parsed is None or not isinstance(keys, dict):
            raise malformed(f"Invalid Condition type : {name}")
        for key, values in keys.items():
            if ":" not in key or key.lower().partition(":")[0] not in _KEY_VENDORS:
                raise malformed("Policy has an invalid condition key")
            valid = OPERATORS[parsed[1]].valid
            for value in _list(values):
                text = as_text(value) if isinstance(value, str | bool | int | float) else None
                if text is None or ("${" not in text and not valid(text)):
                    raise malformed(f"Invalid policy syntax: value of {key}")


_KEY_VENDORS: Final = ("aws", "s3", "sts", "saml", "kms", "iam", "accounts.google.com", "graph.facebook.com")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@lru_cache(maxsize=512)
def compiled(text: str, ids: tuple[tuple[str, str], ...] = ()) -> Document:
    """The policy, ready to be evaluated. ``ids`` are the (canonical id, account) pairs of those that it names: S3 takes
    a CanonicalUser for its account."""
    if not ids:
        return compile_document(text)
    document = json.loads(text)
    accounts = dict(ids)
    for each in _list(document["Statement"]):
        for name in ("Principal", "NotPrincipal"):
            principal = each.get(name)
            if isinstance(principal, dict) and "CanonicalUser" in principal:
                named = [accounts.get(i, "") for i in _list(principal.pop("CanonicalUser"))]
                principal["AWS"] = [*_list(principal.get("AWS", [])), *(f"arn:aws:iam::{a}:root" for a in named if a)]
    return compile_document(json.dumps(document))


@lru_cache(maxsize=512)
def canonical_ids_in(text: str) -> tuple[str, ...]:
    """The canonical users that a valid policy names."""
    if '"CanonicalUser"' not in text:
        return ()
    found: list[str] = []
    for each in _list(json.loads(text)["Statement"]):
        for name in ("Principal", "NotPrincipal"):
            principal = each.get(name)
            if isinstance(principal, dict):
                found += _list(principal.get("CanonicalUser", []))
    return tuple(found)
