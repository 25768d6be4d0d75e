"""Log groups: create, describe, list, retention, keys, protection, delete."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tagging, tokens
from cloche.foundation.errors import Invalid, NotSupported
from cloche.services.logs.errors import invalid_operation
from cloche.services.logs.naming import group_arn, group_in_arn, group_of_identifier
from cloche.services.logs.resource_policy import policy_arn
from cloche.storage.logs import LogGroup, filters
from cloche.storage.metadata import records, tags

DESCRIBE_DEFAULT: Final = 50
# docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTION_DAYS: Final = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545),
    *(731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
CLASSES: Final = ("STANDARD", "INFREQUENT_ACCESS")


@operation("CreateLogGroup")
def create_log_group(ctx: Context, request: Members) -> Members:
    """A KMS key is kept as it was given; data are not encrypted with it."""
    name, log_class = request["logGroupName"], request.get("logGroupClass", "STANDARD")
    if log_class not in CLASSES:
        raise NotSupported(f"CreateLogGroup does not support the class {log_class} in Cloche")
    if name.startswith("aws/"):
        # "Log group names can't start with the string aws/", API_CreateLogGroup.html
        raise Invalid("Log groups starting with AWS/ are reserved for AWS.", field="logGroupName")
    pairs = tagging.tag_pairs({"Key": key, "Value": value} for key, value in (request.get("tags") or {}).items())
    ctx.parts.logs.create_group(
        ctx.account,
        ctx.region,
        name,
        log_class=log_class,
        kms_key=_key(request["kmsKeyId"]) if "kmsKeyId" in request else None,
        protected=request.get("deletionProtectionEnabled", False),
    )
    if pairs:
        ctx.parts.database.write(lambda tx: tagging.add_tags(tx, group_arn(ctx, name), pairs))
    return {}


@operation("DeleteLogGroup")
def delete_log_group(ctx: Context, request: Members) -> Members:
    name = request["logGroupName"]
    require_unprotected(ctx, name)
    arn = group_arn(ctx, name)
    ctx.parts.logs.delete_group(ctx.account, ctx.region, name)

    def remove_rest(tx: sqlite3.Connection) -> None:
        tags.remove(tx, arn, [key for key, _ in tags.read(tx, arn)])
        records.remove(tx, policy_arn(ctx, arn))
        filters.remove_all(tx, ctx.account, ctx.region, name)

    ctx.parts.database.write(remove_rest)
    ctx.parts.metric_filters.changed()
    ctx.parts.log_subscriptions.changed()
    return {}


def require_unprotected(ctx: Context, name: str) -> None:
    """AWS: "deletion protection blocks all deletion operations until it is explicitly disabled"
    (API_PutLogGroupDeletionProtection.html)."""
    if ctx.parts.logs.group(ctx.account, ctx.region, name).protected:
        raise Invalid(f"The log group {name} is protected against deletion; disable its deletion protection first.")


@operation("PutLogGroupDeletionProtection")
def put_log_group_deletion_protection(ctx: Context, request: Members) -> Members:
    name = group_of_identifier(ctx, request["logGroupIdentifier"])
    ctx.parts.logs.set_protected(ctx.account, ctx.region, name, request["deletionProtectionEnabled"])
    return {}


@operation("DescribeLogGroups", reads=True)
def describe_log_groups(ctx: Context, request: Members) -> Members:
    """By name, with a prefix or a part of the name. Accounts have no links here, so there are no others' groups."""
    if "logGroupNamePrefix" in request and "logGroupNamePattern" in request:
        raise Invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
    _require_own_account(request, "DescribeLogGroups")
    if identifiers := request.get("logGroupIdentifiers"):
        names = [group_of_identifier(ctx, text) for text in identifiers]
        return {"logGroups": _shown(ctx, [ctx.parts.logs.group(ctx.account, ctx.region, name) for name in names])}
    prefix, contains = request.get("logGroupNamePrefix", ""), request.get("logGroupNamePattern", "")
    log_class = request.get("logGroupClass")
    secret = records.page_secret(ctx.parts.database.reader)
    question: list[Any] = ["DescribeLogGroups", ctx.account, ctx.region, prefix, contains, log_class]
    token = request.get("nextToken")
    found, following = ctx.parts.logs.groups(
        ctx.account,
        ctx.region,
        prefix=prefix,
        contains=contains,
        log_class=log_class,
        after=tokens.unseal(secret, question, token) if token else None,
        limit=request.get("limit", DESCRIBE_DEFAULT),
    )
    answer: Members = {"logGroups": _shown(ctx, found)}
    if following is not None:
        answer["nextToken"] = tokens.seal(secret, question, following)
    return answer


@operation("ListLogGroups", reads=True)
def list_log_groups(ctx: Context, request: Members) -> Members:
    """By class, by patterns of the name (``^/aws|train``) and by tags."""
    _require_own_account(request, "ListLogGroups")
    for name in ("dataSources", "fieldIndexNames"):
        if request.get(name):
            raise NotSupported(f"ListLogGroups does not support {name} in Cloche")
    pattern, log_class = request.get("logGroupNamePattern", ""), request.get("logGroupClass")
    wanted = {member["key"]: member.get("values") or [] for member in request.get("logGroupTags") or ()}
    secret = records.page_secret(ctx.parts.database.reader)
    question: list[Any] = ["ListLogGroups", ctx.account, ctx.region, pattern, log_class, wanted]
    token, limit = request.get("nextToken"), request.get("limit", DESCRIBE_DEFAULT)
    after = tokens.unseal(secret, question, token) if token else None
    listed: list[LogGroup] = []
    while True:
        found, after = ctx.parts.logs.groups(
            ctx.account,
            ctx.region,
            patterns=pattern.split("|") if pattern else (),
            log_class=log_class,
            after=after,
            limit=limit - len(listed),
        )
        listed += [group for group in found if not wanted or _has_tags(ctx, group, wanted)]
        if after is None or len(listed) == limit:
            break
    answer: Members = {
        "logGroups": [
            {
                "logGroupName": group.name,
                "logGroupArn": group_arn(ctx, group.name),
                "logGroupClass": group.log_class,
            }
            for group in listed
        ]
    }
    if after is not None:
        answer["nextToken"] = tokens.seal(secret, question, after)
    return answer


def _has_tags(ctx: Context, group: LogGroup, wanted: dict[str, list[str]]) -> bool:
    held = dict(tags.read(ctx.parts.database.reader, group_arn(ctx, group.name)))
    return all(key in held and (not values or held[key] in values) for key, values in wanted.items())


@operation("PutRetentionPolicy")
def put_retention_policy(ctx: Context, request: Members) -> Members:
    days = request["retentionInDays"]
    if days not in RETENTION_DAYS:
        allowed = ", ".join(map(str, RETENTION_DAYS))
        raise Invalid(
            f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{allowed}]",
            field="retentionInDays",
        )
    ctx.parts.logs.set_retention(ctx.account, ctx.region, request["logGroupName"], days)
    return {}


@operation("DeleteRetentionPolicy")
def delete_retention_policy(ctx: Context, request: Members) -> Members:
    ctx.parts.logs.set_retention(ctx.account, ctx.region, request["logGroupName"], None)
    return {}


@operation("AssociateKmsKey")
def associate_kms_key(ctx: Context, request: Members) -> Members:
    """Kept and shown; data are not encrypted with it."""
    ctx.parts.logs.set_key(ctx.account, ctx.region, _encrypted_group(ctx, request), _key(request["kmsKeyId"]))
    return {}


@operation("DisassociateKmsKey")
def disassociate_kms_key(ctx: Context, request: Members) -> Members:
    ctx.parts.logs.set_key(ctx.account, ctx.region, _encrypted_group(ctx, request), None)
    return {}


def require_class(ctx: Context, name: str, operation_name: str) -> LogGroup:
    """Infrequent Access offers no GetLogEvents, FilterLogEvents, live tail or export
    (docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch_Logs_Log_Classes.html)."""
    group: LogGroup = ctx.parts.logs.group(ctx.account, ctx.region, name)
    if group.log_class != "STANDARD":
        raise invalid_operation(f"{operation_name} is not supported for log groups of the class {group.log_class}")
    return group


def _encrypted_group(ctx: Context, request: Members) -> str:
    name, identifier = request.get("logGroupName"), request.get("resourceIdentifier")
    if (name is None) == (identifier is None):
        raise Invalid("Exactly one of logGroupName and resourceIdentifier must be given")
    if name is not None:
        return str(name)
    if ":query-result:" in str(identifier):
        raise NotSupported("Keys for the results of Logs Insights queries are not supported in Cloche")
    return group_in_arn(ctx, str(identifier))


def _key(text: str) -> str:
    if not text.startswith("arn:aws:kms:") or ":key/" not in text:
        raise Invalid(f"{text} is not the ARN of a KMS key", field="kmsKeyId")
    return text


def _require_own_account(request: Members, name: str) -> None:
    if request.get("includeLinkedAccounts") or request.get("accountIdentifiers"):
        raise NotSupported(f"{name} does not support linked accounts in Cloche")


def _shown(ctx: Context, groups: list[LogGroup]) -> list[Members]:
    stored, reader = ctx.parts.logs.stored_bytes(groups), ctx.parts.database.reader
    return [
        {
            "logGroupName": group.name,
            "creationTime": group.created_ms,
            "retentionInDays": group.retention_days,
            "metricFilterCount": filters.count(reader, filters.METRIC, ctx.account, ctx.region, group.name),
            "arn": f"{group_arn(ctx, group.name)}:*",
            "storedBytes": stored.get(group.id, 0),
            "kmsKeyId": group.kms_key,
            "logGroupClass": group.log_class,
            "logGroupArn": group_arn(ctx, group.name),
            "deletionProtectionEnabled": group.protected,
        }
        for group in groups
    ]
