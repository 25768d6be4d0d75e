"""Quotas and requests as the API shows them."""

from __future__ import annotations

from cloche.aws.operation import Context, Members
from cloche.engines.quotas import SERVICES, Quota, Requested
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import NotSupported
from cloche.services.service_quotas.known import quota_of

_UNSET = (
    "Cloche knows no value: AWS does not publish its default, and nobody has requested one here. Nothing is limited "
    "until then."
)


def applied_view(ctx: Context, quota: Quota) -> Members:
    """As it is for this account."""
    value = ctx.parts.quotas.applied(ctx.account, ctx.region, quota)
    return _view(ctx, quota, quota.default if value is None else value)


def default_view(ctx: Context, quota: Quota) -> Members:
    """As AWS has it for a new account."""
    return _view(ctx, quota, quota.default)


def _view(ctx: Context, quota: Quota, value: float | None) -> Members:
    enforced = "Cloche refuses what goes beyond it." if quota.enforced else "Cloche does not enforce it."
    shown: Members = {
        "ServiceCode": quota.service,
        "ServiceName": SERVICES[quota.service],
        "QuotaArn": arn_of(ctx, quota),
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "Unit": "None",
        "Adjustable": quota.adjustable,
        "GlobalQuota": quota.everywhere,
        "QuotaAppliedAtLevel": "ACCOUNT",
        "Description": f"{quota.name}. {enforced}",
    }
    if value is None:
        # AWS's own form for a quota whose value cannot be told.
        shown["ErrorReason"] = {"ErrorCode": "SERVICE_QUOTA_NOT_AVAILABLE_ERROR", "ErrorMessage": _UNSET}
    else:
        shown["Value"] = value
    return shown


def arn_of(ctx: Context, quota: Quota) -> str:
    region = "" if quota.everywhere else ctx.region
    return f"arn:aws:servicequotas:{region}:{ctx.account}:{quota.service}/{quota.code}"


def requested_view(ctx: Context, requested: Requested) -> Members:
    quota = quota_of(requested.service, requested.code)
    at = from_epoch(requested.at)
    return {
        "Id": requested.id,
        "ServiceCode": quota.service,
        "ServiceName": SERVICES[quota.service],
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "DesiredValue": requested.value,
        "Status": "APPROVED",
        "Created": at,
        "LastUpdated": at,
        "Requester": requested.requester,
        "QuotaArn": arn_of(ctx, quota),
        "GlobalQuota": quota.everywhere,
        "Unit": "None",
        "QuotaRequestedAtLevel": "ACCOUNT",
    }


def account_level(request: Members, member: str) -> None:
    """Raises ``NotSupported`` for quotas of single resources."""
    if request.get(member) not in (None, "ACCOUNT", "ALL"):
        raise NotSupported(f"{member} {request[member]} is not supported in Cloche: quotas are the account's")
    if request.get("ContextId"):
        raise NotSupported("ContextId is not supported in Cloche: quotas are the account's")
