"""Is this a policy document? In IAM's own words, and in the order in which IAM looks.

The messages and their order are those IAM gave to the malformed documents in moto's
tests/test_iam/test_iam_policies.py; further hashicorp/terraform-provider-aws#10419 (a principal in an identity
policy), kubernetes-sigs/external-dns#3085 (a resource in a trust policy), aws-cloudformation/cfn-lint#4287 (an
invalid principal) and LocalStack's iam provider (actions of trust policies).
IAM looks at the grammar first, then at the version, then at what it calls legacy parsing, then at statement ids,
resources and actions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cloche.engines.identity.policy.conditions import OPERATORS, as_text, parse_operator
from cloche.engines.identity.policy.document import as_list
from cloche.foundation.errors import Invalid

SYNTAX: Final = "Syntax errors in policy."
VERSION: Final = "Policy document must be version 2012-10-17 or greater."
LEGACY: Final = "The policy failed legacy parsing"
SIDS: Final = "Statement IDs (SID) in a single policy must be unique."
NO_ACTIONS: Final = "Policy statement must contain actions."
NO_RESOURCES: Final = "Policy statement must contain resources."
NO_VENDOR: Final = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
ONE_COLON: Final = "Actions/Condition can contain only one colon."
PRINCIPAL: Final = "Policy document should not specify a principal."
TRUST_RESOURCE: Final = "Has prohibited field Resource"
TRUST_ACTIONS: Final = "AssumeRole policy may only specify STS AssumeRole actions."
TRUST_NO_PRINCIPAL: Final = "Missing required field Principal"
TRUST_NO_ACTION: Final = "Missing required field Action"
IAM_PATHS: Final = (
    "user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "server-certificate/", "policy/",
    "sms-mfa/", "saml-provider/", "oidc-provider/", "report/", "access-report/",
)  # fmt: skip
VERSIONS: Final = ("2012-10-17", "2008-10-17")
PARTITIONS: Final = ("aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-eusc", "*")
_ACCOUNT: Final = re.compile(r"\d{12}")
_STATEMENT_KEYS: Final = frozenset(
    {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition"}
)
_DOCUMENT_KEYS: Final = frozenset({"Version", "Id", "Statement"})
_TRUST_ACTION: Final = re.compile(
    r"sts:(assumerole(withsaml|withwebidentity)?|tagsession|setsourceidentity|setcontext|\*|assumerole\*)"
)


class MalformedPolicy(Invalid):
    """The text is no policy document of the kind asked for."""


def validate_identity_policy(text: str) -> None:
    """Raises ``MalformedPolicy`` unless ``text`` is a policy for a user or role (managed, inline or session)."""
    statements = _grammar(text, older_versions=False)
    for each in statements:
        if "Principal" in each or "NotPrincipal" in each:
            raise MalformedPolicy(PRINCIPAL)
    for each in statements:
        for resource in _listed(each, "Resource", "NotResource"):
            _check_resource(resource)
    for each in statements:
        _check_actions(each)
    for each in statements:
        if not _listed(each, "Resource", "NotResource"):
            raise MalformedPolicy(NO_RESOURCES)


def validate_trust_policy(text: str) -> None:
    """Raises ``MalformedPolicy`` unless ``text`` can say who may assume a role."""
    for each in _grammar(text, older_versions=True):
        if "Resource" in each or "NotResource" in each:
            raise MalformedPolicy(TRUST_RESOURCE)
        if "Principal" not in each and "NotPrincipal" not in each:
            raise MalformedPolicy(TRUST_NO_PRINCIPAL)
        actions = _listed(each, "Action", "NotAction")
        if not actions:
            raise MalformedPolicy(TRUST_NO_ACTION)
        if "NotAction" in each or not all(_TRUST_ACTION.fullmatch(action.lower()) for action in actions):
            raise MalformedPolicy(TRUST_ACTIONS)
        _check_principals(each.get("Principal", each.get("NotPrincipal")))


# -- grammar -----------------------------------------------------------------------------------------------


def _grammar(text: str, *, older_versions: bool) -> list[Mapping[str, Any]]:
    document = _parsed(text)
    statements = as_list(document.get("Statement"))
    for each in statements:
        _check_statement(each)
    version = document.get("Version", "2008-10-17")
    if version not in VERSIONS:
        raise MalformedPolicy(SYNTAX)
    if version != "2012-10-17" and not older_versions:
        raise MalformedPolicy(VERSION)
    if any(_is_legacy(each) for each in statements):
        raise MalformedPolicy(LEGACY)
    ids = [each["Sid"] for each in statements if each.get("Sid")]
    if len(set(ids)) != len(ids):
        raise MalformedPolicy(SIDS)
    return statements


def _parsed(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise MalformedPolicy(SYNTAX) from None
    if (
        not isinstance(document, dict)
        or not document.keys() <= _DOCUMENT_KEYS
        or not isinstance(document.get("Id", ""), str)
        or not isinstance(document.get("Version", ""), str)
        or not document.get("Statement")
    ):
        raise MalformedPolicy(SYNTAX)
    return document


def _check_statement(each: Any) -> None:
    if not isinstance(each, dict) or not each.keys() <= _STATEMENT_KEYS:
        raise MalformedPolicy(SYNTAX)
    if str(each.get("Effect")).lower() not in ("allow", "deny") or not isinstance(each.get("Sid", ""), str):
        raise MalformedPolicy(SYNTAX)
    for name in ("Action", "Resource", "Principal"):
        if name in each and f"Not{name}" in each:
            raise MalformedPolicy(SYNTAX)
    for name in ("Action", "NotAction", "Resource", "NotResource"):
        if name in each and not _is_texts(each[name]):
            raise MalformedPolicy(SYNTAX)
    for name in ("Principal", "NotPrincipal"):
        if name in each and not _is_principal(each[name]):
            raise MalformedPolicy(SYNTAX)
    if "Condition" in each:
        _check_condition(each["Condition"])


def _is_texts(value: Any) -> bool:
    return all(isinstance(each, str) for each in as_list(value))


def _is_principal(value: Any) -> bool:
    if value == "*":
        return True
    kinds = {"AWS", "Service", "Federated", "CanonicalUser"}
    return isinstance(value, dict) and value.keys() <= kinds and all(_is_texts(each) for each in value.values())


def _check_condition(condition: Any) -> None:
    if not isinstance(condition, dict):
        raise MalformedPolicy(SYNTAX)
    for name, keys in condition.items():
        if parse_operator(name) is None or not isinstance(keys, dict):
            raise MalformedPolicy(SYNTAX)
        for values in keys.values():
            if not all(isinstance(value, str | bool | int | float) for value in as_list(values)):
                raise MalformedPolicy(SYNTAX)


# -- legacy parsing ----------------------------------------------------------------------------------------


def _is_legacy(each: Mapping[str, Any]) -> bool:
    if each["Effect"] not in ("Allow", "Deny"):
        return True
    if any(_is_cut_short(resource) for resource in _listed(each, "Resource", "NotResource")):
        return True
    return any(_is_no_value(name, value) for name, value in _condition_values(each))


def _is_cut_short(resource: str) -> bool:
    fields = resource.split(":", 5)
    if len(fields) < 3 or fields[0] != "arn" or fields[1] not in PARTITIONS:
        return False
    return not fields[2] or (3 < len(fields) < 6 and "*" not in resource)


def _condition_values(each: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name, keys in each.get("Condition", {}).items():
        for values in keys.values():
            for value in as_list(values):
                yield name, as_text(value)


def _is_no_value(name: str, value: str) -> bool:
    parsed = parse_operator(name)
    if parsed is None or "${" in value or not parsed[1].startswith("Date"):
        return False
    return not OPERATORS[parsed[1]].valid(value)


# -- resources, actions, principals ------------------------------------------------------------------------


def _listed(each: Mapping[str, Any], *names: str) -> list[str]:
    for name in names:
        if name in each:
            return [str(value) for value in as_list(each[name])]
    return []


def _check_resource(resource: str) -> None:
    if resource == "*":
        return
    if ":" not in resource:
        raise MalformedPolicy(f'Resource {resource} must be in ARN format or "*".')
    fields = resource.split(":", 5)
    if fields[1] not in PARTITIONS and "${" not in fields[1]:
        whole = ":".join(["arn", *fields[1:], *["*"] * (6 - len(fields))])
        raise MalformedPolicy(f'Partition "{fields[1]}" is not valid for resource "{whole}".')
    if len(fields) < 3 or "*" in fields[2]:
        raise MalformedPolicy("Resource vendor must be fully qualified and cannot contain regexes.")
    region = fields[3] if len(fields) > 3 else ""
    if fields[2] == "iam" and region not in ("", "*"):
        raise MalformedPolicy(f"IAM resource {resource} cannot contain region information.")
    if fields[2] == "s3" and region not in ("", "*"):
        raise MalformedPolicy(f"Resource {resource} can not contain region information.")
    path = fields[5] if len(fields) == 6 else "*"
    if fields[2] == "iam" and not path.startswith(("*", "root", *IAM_PATHS)) and "${" not in path:
        raise MalformedPolicy(f'IAM resource path must either be "*" or start with {", ".join(IAM_PATHS)}.')


def _check_actions(each: Mapping[str, Any]) -> None:
    actions = _listed(each, "Action", "NotAction")
    if not actions:
        raise MalformedPolicy(NO_ACTIONS)
    for action in actions:
        if action == "*":
            continue
        vendor, colon, rest = action.partition(":")
        if not colon:
            raise MalformedPolicy(NO_VENDOR)
        if ":" in rest:
            raise MalformedPolicy(ONE_COLON)
        if not re.fullmatch(r"[A-Za-z0-9*-]+", vendor):
            raise MalformedPolicy(f"Vendor {vendor} is not valid")


def _check_principals(principal: Any) -> None:
    if principal == "*":
        return
    for kind, ids in principal.items():
        for name in as_list(ids):
            if not _is_named_well(kind, name):
                shown = "AWS" if kind == "AWS" else kind.upper()
                raise MalformedPolicy(f'Invalid principal in policy: "{shown}":"{name}"')


def _is_named_well(kind: str, name: str) -> bool:
    if kind == "Service":
        return "." in name and not name.startswith("arn:")
    if kind != "AWS" or name == "*" or _ACCOUNT.fullmatch(name):
        return bool(name)
    fields = name.split(":", 5)
    return (
        len(fields) == 6
        and fields[0] == "arn"
        and fields[1] in PARTITIONS[:-1]
        and fields[2] in ("iam", "sts")
        and not fields[3]
        and _ACCOUNT.fullmatch(fields[4]) is not None
        and fields[5].startswith(("root", "user/", "role/", "assumed-role/", "federated-user/"))
    )
